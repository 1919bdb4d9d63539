"""Whatever happens over there and in whichever slices we see it: nothing is doubled, and no edit is lost."""

import itertools
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub import bindings
from hub.db import Database, chunked
from hub.ids import new_id
from hub.records import ProductRecord
from hub.tables import Binding, Connection, Picture, Price, Product, Quarantined
from tests.hub.shop import apply, connect, product, rows

SKUS = [None, "A", "B", "C", "D"]
GTINS = ["", "", "7891000315507", "7891000100103"]


@dataclass
class World:
    """An ERP whose products are edited by people, and the hub that looks at it now and then."""

    db: Database
    erp: Connection
    other: Connection
    there: dict[str, ProductRecord] = field(default_factory=dict)
    dead: list[str] = field(default_factory=list)
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    def pick(self, which: int) -> str | None:
        return list(self.there)[which % len(self.there)] if self.there else None

    async def create(self, sku: int, gtin: int) -> None:
        external_id = str(next(self.numbers))
        self.there[external_id] = product(
            external_id, sku=SKUS[sku], gtin=GTINS[gtin % 4], name=f"Caneca {external_id}"
        )

    async def edit(self, which: int, value: int) -> None:
        if (key := self.pick(which)) is not None:
            told: dict[str, Any] = [
                {"name": f"Caneca {key} de {value}"},
                {"sku": SKUS[value % 5]},
                {"gtin": GTINS[value % 4]},
                {"list_price": Decimal(value)},
                {"active": bool(value % 2)},
                {"pictures": tuple(f"https://fotos.example/{n}.jpg" for n in range(value % 3))},
            ][value % 6]
            self.there[key] = replace(self.there[key], **told)

    async def swap(self, which: int, value: int) -> None:
        one, two = self.pick(which), self.pick(value)
        if one is not None and two is not None:
            first, second = self.there[one], self.there[two]
            self.there[one] = replace(first, sku=second.sku)
            self.there[two] = replace(second, sku=first.sku)

    async def delete(self, which: int, _: int) -> None:
        if (key := self.pick(which)) is not None:
            del self.there[key]
            self.dead.append(key)

    async def renumber(self, which: int, _: int) -> None:
        """Deleted and made anew with the same content, as a re-import of a spreadsheet does."""
        if (key := self.pick(which)) is not None:
            made = str(next(self.numbers))
            self.there[made] = replace(self.there.pop(key), external_id=made)
            self.dead.append(key)

    async def come_by_another_way(self, sku: int, gtin: int) -> None:
        """A product that the store has without this ERP, or has from it too."""
        external_id = f"x{next(self.numbers)}"
        await apply(self.db, self.other, product(external_id, sku=SKUS[sku % 5], gtin=GTINS[gtin % 4]))

    async def look(self, start: int, size: int) -> None:
        """See a slice of what is there, and notice some of what is not there any more."""
        keys = (list(self.there) * 2)[start % 5 :][:: 1 + start % 2][: 1 + size % 4]
        page = [self.there[key] for key in dict.fromkeys(keys)]
        await apply(self.db, self.erp, *page, gone=self.dead[start % 2 :: 2])

    async def settle(self) -> None:
        """What the runs of a day or two do: list all, retire what is missing, look at the refused again."""
        for _ in range(5):
            for page in chunked(list(self.there.values()), 3):
                await apply(self.db, self.erp, *page)
            missing = await bindings.missing(self.db, self.erp, self.there, with_variations=True)
            await apply(self.db, self.erp, gone=missing)
            held = [q.external_id for q in await rows(self.db, Quarantined, connection_id=self.erp.id)]
            await apply(self.db, self.erp, *(self.there[key] for key in held))


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["create", "create", "edit", "edit", "swap", "delete", "renumber", "come_by_another_way"] + ["look"] * 3
        ),
        st.integers(0, 4),
        st.integers(0, 11),
    ),
    min_size=6,
    max_size=30,
)


@settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(STEPS)
async def test_the_hub_ends_with_what_is_there(db: Database, steps: list[tuple[str, int, int]]) -> None:
    shop = new_id()
    world = World(
        db,
        await connect(db, f"{shop}-tiny", merchant=shop),
        await connect(db, f"{shop}-other", merchant=shop, kind="other"),
    )
    for step, first, second in steps:
        await getattr(world, step)(first, second)
    await world.settle()

    products = {p.id: p for p in await rows(db, Product, merchant_id=shop)}
    ours = await rows(db, Binding, connection_id=world.erp.id)
    elsewhere = {b.record_id for b in await rows(db, Binding, connection_id=world.other.id)}
    living = {b.external_id: products[b.record_id] for b in ours if not b.gone}
    held = {q.external_id for q in await rows(db, Quarantined, connection_id=world.erp.id)}

    assert set(living) | held == set(world.there), "every record is a product or a notice, and nothing else is"
    assert set(products) == {b.record_id for b in ours} | elsewhere, "no product without a source"
    await assert_same_content(db, shop, {key: p for key, p in living.items() if key not in held}, world.there)
    for binding in ours:
        assert not binding.gone or binding.record_id in elsewhere or not products[binding.record_id].active
    assert held <= conflicts(world.there, living, list(products.values())), "somebody was refused for nothing"


async def assert_same_content(
    db: Database, shop: str, taken: dict[str, Product], there: dict[str, ProductRecord]
) -> None:
    prices = {p.product_id: p for p in await rows(db, Price, merchant_id=shop)}
    pictures: dict[str, list[str]] = {}
    for picture in await rows(db, Picture, merchant_id=shop):
        pictures.setdefault(picture.product_id, []).append(picture.url)
    for key, ours in taken.items():
        theirs = there[key]
        assert (ours.name, ours.sku, ours.gtin or "", ours.active) == (
            theirs.name,
            theirs.sku,
            theirs.gtin,
            theirs.active,
        )
        assert prices[ours.id].list_price == theirs.list_price
        assert tuple(pictures.get(ours.id, [])) == theirs.pictures


def conflicts(there: dict[str, ProductRecord], living: dict[str, Product], products: list[Product]) -> set[str]:
    """The records that want a code which another one has, over there or in the store; and who wants what these keep."""
    bound_here = {p.id: key for key, p in living.items()}
    found: set[str] = set()
    while True:
        more = set()
        for key, record in there.items():
            twins = [of for of, row in there.items() if record.sku and row.sku == record.sku and of != key]
            owners = [p for p in products if record.sku and p.sku == record.sku and bound_here.get(p.id) != key]
            kept = [p for p in owners if p.id not in bound_here or bound_here[p.id] in found]
            alike = [p for p in products if p.gtin and p.gtin == record.gtin and p.id not in bound_here]
            if twins or kept or len(alike) > 1:
                more.add(key)
        if more <= found:
            return found
        found |= more
