from decimal import Decimal
from typing import Any

import pytest

from hub import connections
from hub.connections import UnknownConnectionError, slug
from hub.db import Database
from hub.policy import Policy
from hub.tables import Connection, Merchant
from hub.tables.tenancy import ConnectionState
from tests.hub.shop import connect, one, rows


async def install(db: Database, **told: Any) -> Connection:
    base: dict[str, Any] = {"merchant": "Loja Sol", "kind": "tiny_v2", "side": "erp", "credentials": {"token": "t1"}}
    async with db.write() as session:
        return await connections.install(session, **{**base, **told})


async def test_a_first_connection_brings_its_merchant(db: Database) -> None:
    await install(db, merchant="Café & Pão")
    merchant, made = await one(db, Merchant), await one(db, Connection)
    assert (merchant.id, merchant.name) == ("cafe-pao", "Café & Pão")
    assert (made.id, made.merchant_id, made.kind, made.side) == ("cafe-pao-tiny-v2", "cafe-pao", "tiny_v2", "erp")
    assert made.state == ConnectionState.NOT_INSTALLED
    assert (made.credentials, made.credentials_version) == ({"token": "t1"}, 1)


async def test_a_second_connection_joins_its_merchant(db: Database) -> None:
    await install(db)
    await install(db, kind="webstore", side="store")
    assert len(await rows(db, Merchant)) == 1
    assert [c.id for c in await rows(db, Connection)] == ["loja-sol-tiny-v2", "loja-sol-webstore"]


async def test_installing_again_changes_the_credentials_and_nothing_else(db: Database) -> None:
    await install(db, policy=Policy(deposit="Loja"))
    async with db.write() as session:
        await connections.checked(session, "loja-sol-tiny-v2", "account", {"per_minute": 60})
    await install(db, credentials={"token": "t2"})
    found = await one(db, Connection)
    assert (found.credentials, found.credentials_version) == ({"token": "t2"}, 2)
    assert (found.policy, found.features, found.state) == ({"deposit": "Loja"}, {"per_minute": 60}, "ativa")


async def test_installing_again_with_a_policy_changes_it(db: Database) -> None:
    await install(db, policy=Policy(deposit="Loja"))
    await install(db, policy=Policy(price_adjustment=Decimal("-2.5")))
    policy = (await one(db, Connection)).policy
    assert Policy.model_validate(policy) == Policy(price_adjustment=Decimal("-2.5"))


@pytest.mark.parametrize("other", [{"merchant": "Loja Lua"}, {"kind": "tiny_v3"}])
async def test_an_id_is_never_taken_from_another(db: Database, other: dict[str, str]) -> None:
    await install(db, connection_id="principal")
    with pytest.raises(ValueError, match="'principal' belongs to merchant 'loja-sol', kind 'tiny_v2'"):
        await install(db, connection_id="principal", **other)
    assert (await one(db, Connection)).credentials_version == 1


async def test_names_at_the_limit_fit_their_columns(db: Database) -> None:
    found = await install(db, merchant="Comércio de Louças e Presentes " * 5, kind="um-sistema-de-nome-comprido")
    assert len(found.merchant_id) <= 60
    assert len(found.id) <= 80
    assert not found.id.endswith("-")
    assert not found.merchant_id.endswith("-")


async def test_found_by_its_id(db: Database, erp: Connection) -> None:
    async with db.read() as session:
        assert (await connections.find(session, erp.id)).id == erp.id


async def test_an_unknown_id_is_answered_with_those_there_are(db: Database) -> None:
    async with db.read() as session:
        with pytest.raises(UnknownConnectionError, match=r"none yet \(make one: esteira connect\)"):
            await connections.find(session, "loja-sol")
    await connect(db, "loja-sol-tiny")
    await connect(db, "loja-sol-store")
    async with db.read() as session:
        with pytest.raises(UnknownConnectionError, match=r"'loja-sol'; there are: loja-sol-store, loja-sol-tiny"):
            await connections.find(session, "loja-sol")


async def test_active_ones_by_kind_in_order(db: Database) -> None:
    for number, state in enumerate(ConnectionState):
        await connect(db, f"c{number}")
        async with db.write() as session:
            await connections.mark(session, f"c{number}", state)
    await connect(db, "b", kind="tiny_v3")
    async with db.read() as session:
        assert [c.id for c in await connections.active(session)] == ["b", "c0"]
        assert [c.id for c in await connections.active(session, frozenset({"tiny_v2"}))] == ["c0"]
        assert await connections.active(session, frozenset()) == []


async def test_a_state_is_marked_with_its_reason(db: Database, erp: Connection, store: Connection) -> None:
    async with db.write() as session:
        await connections.mark(session, erp.id, ConnectionState.DISCONNECTED, "token refused " * 100)
    found = {c.id: c for c in await rows(db, Connection)}
    assert found[erp.id].state == "não conectada"
    assert found[erp.id].state_reason.startswith("token refused")
    assert len(found[erp.id].state_reason) == 500
    assert found[store.id].state == "ativa"


async def test_a_check_that_went_through_makes_it_work(db: Database, erp: Connection) -> None:
    async with db.write() as session:
        await connections.mark(session, erp.id, ConnectionState.DISCONNECTED, "token refused")
        await connections.checked(session, erp.id, "account", {"per_minute": 60, "deposits": ["Loja"]})
    async with db.write() as session:
        await connections.checked(session, erp.id, "account", {"per_minute": 120})
    found = await one(db, Connection)
    assert (found.state, found.state_reason, found.account) == ("ativa", "", "account")
    assert found.features == {"per_minute": 120, "deposits": ["Loja"]}
    assert found.checked_at is not None


@pytest.mark.parametrize(
    ("name", "slugged"),
    [
        ("Café & Pão Ltda.", "cafe-pao-ltda"),
        ("  --Loja   Sol--  ", "loja-sol"),
        ("LOJA_1", "loja-1"),
        ("a" * 79 + " b", "a" * 79),
    ],
)
def test_slugs(name: str, slugged: str) -> None:
    assert slug(name) == slugged


@pytest.mark.parametrize("name", ["", "—", "🎈", "日本"])
def test_a_name_without_a_letter_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="a name needs at least one letter or digit"):
        slug(name)
