"""`esteira keys`: every encrypted value comes under the newest key, whatever happens in between."""

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from deployments import cli
from deployments.commands import _rotating, keys
from deployments.commands._rotating import Counts, rotate, sealed_tables
from hub import connections, crypto
from hub.clock import utcnow
from hub.crypto import Keyring, SecretUnreadable, generate_key
from hub.db import Database
from hub.settings import settings
from hub.tables import Address, Connection, Customer, Merchant, Order

OLD, NEW, INDEX = generate_key(), generate_key(), generate_key()


@pytest.fixture(autouse=True)
def _keys() -> Iterator[None]:
    before = crypto.use(Keyring((OLD,), INDEX))
    yield
    crypto.use(before)


@pytest.fixture
async def filled(db: Database) -> Database:
    """Seven customers and an order with two addresses, written under the old key; a merchant without credentials."""
    async with db.write() as session:
        session.add(Merchant(id="loja-sol", name="Loja Sol"))
        await session.flush()
        for number in range(7):
            session.add(Customer(id=f"c{number}", merchant_id="loja-sol", name=f"Cliente {number} ção", email="a@b.c"))
        zero = dict.fromkeys(("items_total", "discount", "freight", "total"), Decimal(0))
        session.add(Order(id="o1", merchant_id="loja-sol", number="1", placed_at=utcnow(), notes="presente", **zero))
        await session.flush()
        for role in ("billing", "shipping"):
            session.add(Address(order_id="o1", role=role, merchant_id="loja-sol", uf="RS", details={"rua": role}))
        await connections.install(
            session, merchant="Loja Sol", kind="tiny_v2", side="erp", credentials={"token": "abc"}
        )
    crypto.use(Keyring((NEW, OLD), INDEX))
    return db


async def rotate_all(db: Database) -> dict[str, Counts]:
    return {counts.column: counts for sealed in sealed_tables() for counts in await rotate(db, sealed)}


async def test_every_encrypted_column_is_found() -> None:
    found = {f"{sealed.table.name}.{name}" for sealed in sealed_tables() for name in sealed.columns}
    assert {
        "connection.credentials",
        "customer.document",
        "address.details",
        "invoice.xml",
        "sales_order.notes",
    } <= found
    assert "connection.policy" not in found


async def test_after_it_the_old_key_opens_nothing_and_the_new_one_everything(
    filled: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_rotating, "PAGE", 2)
    done = await rotate_all(filled)
    assert (done["customer.name"].values, done["customer.name"].rotated) == (7, 7)
    assert (done["address.details"].values, done["address.details"].rotated) == (2, 2)
    assert done["connection.credentials"].rotated == 1

    crypto.use(Keyring((NEW,), INDEX))
    async with filled.read() as session:
        assert (await session.get_one(Customer, "c6")).name == "Cliente 6 ção"
        assert (await session.get_one(Address, ("o1", "shipping"))).details == {"rua": "shipping"}
        assert (await session.get_one(Connection, "loja-sol-tiny-v2")).credentials == {"token": "abc"}
    crypto.use(Keyring((OLD,), INDEX))
    async with filled.read() as session:
        with pytest.raises(SecretUnreadable):
            await session.get_one(Customer, "c0")


async def test_interrupted_it_goes_on_with_what_is_left(filled: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_rotating, "PAGE", 2)
    real, left = _rotating._rotate_row, iter(range(5))

    async def dies_at_the_fifth(session: Any, sealed: Any, row: Any) -> None:
        if next(left) == 4:
            raise KeyboardInterrupt
        await real(session, sealed, row)

    customers = next(sealed for sealed in sealed_tables() if sealed.table.name == "customer")
    monkeypatch.setattr(_rotating, "_rotate_row", dies_at_the_fifth)
    with pytest.raises(KeyboardInterrupt):
        await rotate(filled, customers)
    monkeypatch.setattr(_rotating, "_rotate_row", real)
    again = await rotate_all(filled)
    assert (again["customer.name"].values, again["customer.name"].rotated) == (7, 3)
    assert all(counts.rotated == 0 for counts in (await rotate_all(filled)).values())


async def test_what_changed_in_between_is_not_written_over(filled: Database) -> None:
    customers = next(sealed for sealed in sealed_tables() if sealed.table.name == "customer")
    async with filled.write() as session:
        (stale, *_) = await _rotating._page(session, customers, None)
    async with filled.write() as session:
        customer = await session.get_one(Customer, "c0")
        customer.name = "Nome novo"
        session.add(customer)
    async with filled.write() as session:
        await _rotating._rotate_row(session, customers, stale)
    assert customers.counts["name"].moved == 1
    assert customers.counts["email"].rotated == 1
    async with filled.read() as session:
        assert (await session.get_one(Customer, "c0")).name == "Nome novo"


async def test_a_value_that_no_key_opens_is_counted_and_the_others_go_on(filled: Database) -> None:
    lost = Keyring((generate_key(),), INDEX).encrypt("x")
    async with filled.write() as session:
        await session.execute(sa.text("update customer set name = :token where id = 'c3'"), {"token": lost})
    done = await rotate_all(filled)
    assert (done["customer.name"].unreadable, done["customer.name"].rotated) == (1, 6)


class TestVerbs:
    @pytest.fixture(autouse=True)
    def _home(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ESTEIRA_HOME", str(tmp_path))
        monkeypatch.setattr(cli, "COMMANDS", (keys, *cli.COMMANDS))
        settings.cache_clear()

    def test_new_prints_the_key_alone_and_tells_where_it_goes(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert cli.run(["keys", "new"]) == 0
        out, err = capsys.readouterr()
        assert re.fullmatch(r"[0-9A-Za-z_-]{43}=\n", out)
        assert f"first line of {tmp_path / 'keys'}" in err
        assert out.strip() not in err
        monkeypatch.setenv("ESTEIRA_SECRET_KEYS", OLD)
        settings.cache_clear()
        cli.run(["keys", "new"])
        assert "in ESTEIRA_SECRET_KEYS, in front of the others" in capsys.readouterr().err

    def test_rotate_with_the_key_file_as_new_tells_to_change_it(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path, _migrated_sqlite: Path
    ) -> None:
        (tmp_path / "esteira.db").write_bytes(_migrated_sqlite.read_bytes())
        assert cli.run(["keys", "rotate"]) == 0
        first, index = (tmp_path / "keys").read_text().split()
        assert cli.run(["keys", "new"]) == 0
        new = capsys.readouterr().out.splitlines()[-1]
        (tmp_path / "keys").write_text(f"{new}\n{first}\n{index}\n")
        assert cli.run(["keys", "rotate", "--json"]) == 0
        out, err = capsys.readouterr()
        assert {"column", "values", "rotated", "unreadable", "moved"} == set(json.loads(out)["columns"][0])
        assert "every value is under the newest key" in err
