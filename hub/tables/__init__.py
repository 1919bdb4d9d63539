"""The hub's tables. One import for all of them, so that Alembic and the code see the same metadata."""

from hub.tables.catalog import KitItem, Picture, Price, Product, RelatedProduct, Stock
from hub.tables.operations import Lease, Notice, Quota, RunReport
from hub.tables.sales import Address, Customer, Invoice, Mail, Order, OrderItem, Payment, Shipment
from hub.tables.store import ApiToken, IdempotencyKey, Selection
from hub.tables.sync import Binding, Cursor, Door, InboxEvent, OutboxEntry, Quarantined, Worklist
from hub.tables.tenancy import Connection, Merchant

__all__ = [
    "Address",
    "ApiToken",
    "Binding",
    "Connection",
    "Cursor",
    "Customer",
    "Door",
    "IdempotencyKey",
    "InboxEvent",
    "Invoice",
    "KitItem",
    "Lease",
    "Mail",
    "Merchant",
    "Notice",
    "Order",
    "OrderItem",
    "OutboxEntry",
    "Payment",
    "Picture",
    "Price",
    "Product",
    "Quarantined",
    "Quota",
    "RelatedProduct",
    "RunReport",
    "Selection",
    "Shipment",
    "Stock",
    "Worklist",
]
