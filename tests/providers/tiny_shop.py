"""A connection to the simulated Tiny by each of its APIs, for tests of its orders."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from hub.policy import Policy
from hub.records import OutgoingAddress, OutgoingCustomer, OutgoingInstalment, OutgoingItem, OutgoingOrder
from providers.contract import (
    Found,
)
from tests.contract.conftest import hub_db, sandbox, served
from tests.contract.subjects import Subject

__all__ = ["hub_db", "sandbox", "served"]

ACCOUNT = "/tiny/accounts/demo"
CREATES = {"tiny_v2": "pedido.incluir", "tiny_v3": "POST /pedidos"}
MOVES = {"tiny_v2": "pedido.alterar.situacao", "tiny_v3": "PUT /pedidos/{id}/situacao"}
DAY = datetime.now(UTC).date()
SKU = "CAN-300"
INTEGRATION = "8390"
EVER = (date(2000, 1, 1), date(2100, 1, 1))
WHERE = OutgoingAddress("Rua das Flores", "10", "", "Centro", "Curitiba", "PR", "80010000", "Ana Exemplo")
BUYER = OutgoingCustomer("a1" * 16, "Compradora Exemplo", "52998224725", "c@example.com", "41999990000", WHERE)


@dataclass
class Shop:
    """One kind of connection to the simulated account, open, with a contact where orders need one."""

    subject: Subject
    provider: Any
    contact: str

    def order(self, number: str = "1001", **rest: Any) -> OutgoingOrder:
        record = f"{int(number):032x}"
        made = OutgoingOrder(
            record_id=record,
            number=number,
            marker=f"Pedido {number} · esteira {record}",
            customer_ref=self.contact,
            items=(OutgoingItem("", SKU, "Caneca", Decimal(2), Decimal("32.90")),),
            discount=Decimal("5.80"),
            freight=Decimal("10.00"),
            total=Decimal("70.00"),
            payment_method="pix",
            instalments=(OutgoingInstalment(DAY, Decimal("70.00")),),
            placed_on=DAY,
            notes="Presente 🎁 “para a Žofia”",
            delivery=WHERE,
            customer=BUYER,
        )
        return replace(made, **rest)

    async def send(self, order: OutgoingOrder) -> str:
        created = await self.provider.create_order(order, await self.provider.prepare_order(order))
        return created.external_id if isinstance(created, Found) else str(created)

    def there(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.subject.sandbox.ask("GET", f"{ACCOUNT}/orders")
        return found

    def edit(self, external_id: str, **changes: Any) -> None:
        self.subject.sandbox.ask("PATCH", f"{ACCOUNT}/orders/{external_id}", **changes)

    def invoice(self, external_id: str, **told: Any) -> dict[str, Any]:
        made: dict[str, Any] = self.subject.sandbox.ask("POST", f"{ACCOUNT}/orders/{external_id}/invoice", **told)
        return made

    def set(self, **settings: Any) -> None:
        self.subject.sandbox.ask("POST", "/settings", **settings)

    def count(self, operation: str) -> int:
        return sum(call["operation"] == operation for call in self.subject.sandbox.calls())

    @property
    def create(self) -> str:
        return CREATES[self.subject.kind]

    @property
    def move(self) -> str:
        return MOVES[self.subject.kind]


@pytest.fixture(params=["tiny_v2", "tiny_v3"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[INTEGRATION, ""], ids=["integration", "direct"])
def policy(request: pytest.FixtureRequest) -> Policy:
    """With the id of an integration, and without, where v3 does not even keep the store's number."""
    return Policy(calls_per_minute=0, ecommerce_id=request.param)


@pytest.fixture
async def shop(kind: str, policy: Policy, hub_db: Any, sandbox: Any) -> AsyncIterator[Shop]:
    sandbox.ask("POST", f"{ACCOUNT}/integrations", id=int(INTEGRATION), name="Loja Sol")
    subject = Subject(kind, hub_db, sandbox)
    async with subject.opened(policy=policy) as provider:
        provider.search_lag_s = 0.2
        contact = "" if provider.customer_in_order else await provider.create_customer(BUYER)
        yield Shop(subject, provider, contact)
