"""TagPlus (`reference/tagplus.md`): products and orders go in, prices, stock, order states and invoices come back."""
