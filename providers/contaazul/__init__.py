"""Conta Azul (`reference/contaazul.md`): products and orders go in, invoices come back."""
