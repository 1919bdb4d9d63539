"""What a store may sell of what the ERP has."""

from decimal import Decimal

from hub.policy import Policy
from hub.records import StockRecord


def quantity(record: StockRecord, policy: Policy) -> Decimal:
    """The quantity that the policy lets the store show: available or physical, one deposit or the account's sum.

    Never below zero, as balances over there may be. A deposit that the account does not know counts as empty: selling
    from the sum instead would sell what lies where the merchant said not to look.

    Tiny v2 does not split its reservations by deposit (`reference/tiny.md §3.5`): with one deposit chosen, all of them
    are taken off that one, which may show too little and never too much.
    """
    if policy.deposit is None:
        return max(Decimal(0), record.available if policy.stock_basis == "available" else record.physical)
    chosen = next((d for d in record.deposits if policy.deposit in (d.key, d.name)), None)
    if chosen is None:
        return Decimal(0)
    if policy.stock_basis == "physical":
        return max(Decimal(0), chosen.physical)
    available = chosen.available if chosen.available is not None else chosen.physical - record.reserved
    return max(Decimal(0), available)
