"""Indexes by which a shop with years of orders is asked for the last days

Revision: 0003, after 0002
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0003"
down_revision: str | Sequence[str] | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

INDEXES = {
    "ix_invoice_order": ("invoice", ["merchant_id", "order_id"]),
    "ix_invoice_issued": ("invoice", ["connection_id", "issued_at"]),
    "ix_invoice_theirs": ("invoice", ["connection_id", "external_id"]),
    "ix_binding_walk": ("binding", ["connection_id", "kind", "id"]),
    "ix_binding_made": ("binding", ["connection_id", "kind", "created_at"]),
    "ix_binding_counted": ("binding", ["connection_id", "kind", "stock_read_at"]),
    "ix_outbox_unsettled": ("outbox", ["connection_id", "kind", "state", "record_id"]),
}


def upgrade() -> None:
    for name, (table, columns) in INDEXES.items():
        op.create_index(name, table, columns, unique=False)


def downgrade() -> None:
    for name, (table, _) in reversed(INDEXES.items()):
        op.drop_index(name, table_name=table)
