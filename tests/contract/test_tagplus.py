"""What only TagPlus does: one user's permissions, fixed scopes, two spaces of ids, states of orders and notes."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from hub import connections
from hub.clock import utcnow
from hub.db import Database
from hub.notices import standing_notices
from hub.policy import Policy
from hub.records import OutgoingAddress, OutgoingOrder, StockRecord
from hub.selling import NotSendableError
from providers import accounts
from providers.contract import Attempt, CallFailed, Found, Gone, Outcome
from tests.contract.subjects import Sandbox, Subject
from tests.contract.test_contract_sinks import BUYER, GUEST, MUG, an_order

ACCOUNT = "/tagplus/accounts/demo"
CONNECTION = "loja-sol-tagplus"
NO_QUOTA = {"calls_per_minute": 0}


@pytest.fixture
def tagplus(hub_db: Database, sandbox: Sandbox) -> Subject:
    return Subject("tagplus", hub_db, sandbox)


@pytest.fixture
async def shop(tagplus: Subject) -> AsyncIterator[tuple[Any, str, str]]:
    """An open provider, a customer and a product over there."""
    async with tagplus.opened() as provider:
        yield provider, await provider.create_customer(BUYER), await provider.create_product(MUG)


def stored(tagplus: Subject, table: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = tagplus.sandbox.ask("GET", f"{ACCOUNT}/{table}")
    return found


def scoped(tagplus: Subject, *without: str) -> dict[str, Any]:
    """Credentials of a consent to everything but some tables."""
    have = tagplus.sandbox.ask("GET", ACCOUNT)["scopes"]
    scopes = [scope for scope in have if scope.partition(":")[2] not in without]
    told = tagplus.sandbox.ask("POST", f"{ACCOUNT}/tokens", scopes=scopes)
    return {"access_token": told["access_token"], "refresh_token": told["refresh_token"]}


class TestPermissions:
    async def test_check_tells_what_will_be_refused_and_does_not_take_it(self, tagplus: Subject) -> None:
        tagplus.sandbox.ask("POST", ACCOUNT, permissions={"alterar_estoque_produto": False})
        async with tagplus.opened() as provider:
            found = await provider.check()
            assert found.features["permissions"] == {"stock": False, "unit_price": True, "reversal": True}
            assert found.features["takes"] == ["product", "price", "order"]
            created = await provider.create_product(MUG)
            assert "estoque" not in provider.product_body(MUG, creates=False)
            await provider.update_product(created, replace(MUG, price=Decimal("9.90"), stock=Decimal(99)))
        assert '"valor_venda_varejo": 9.9' in tagplus.vendor.product(MUG.sku)

    async def test_a_permission_taken_away_later_costs_the_stock_and_not_the_price(self, tagplus: Subject) -> None:
        async with tagplus.opened() as provider:
            created = await provider.create_product(MUG)
            tagplus.sandbox.ask("POST", ACCOUNT, permissions={"alterar_estoque_produto": False})
            with pytest.raises(CallFailed) as raised:
                await provider.update_product(created, replace(MUG, price=Decimal("9.90"), stock=Decimal(99)))
        assert (raised.value.outcome, raised.value.reason) == (Outcome.REJECTED, "validation")
        assert raised.value.code == "permissao_alterar_estoque_produto"
        assert '"valor_venda_varejo": 9.9' in tagplus.vendor.product(MUG.sku)
        assert '"qtd_revenda": 99' not in tagplus.vendor.product(MUG.sku)

    async def test_another_price_than_the_tables_may_be_refused(
        self, tagplus: Subject, shop: tuple[Any, str, str]
    ) -> None:
        provider, customer, product = shop
        tagplus.sandbox.ask("POST", ACCOUNT, permissions={"funcionario_permissao_modificar_valor_unitario": False})
        dearer = an_order(customer, product)
        dearer = replace(dearer, items=(replace(dearer.items[0], unit_price=Decimal("99.90")),))
        with pytest.raises(CallFailed) as raised:
            await provider.create_order(dearer, await provider.prepare_order(dearer))
        assert (raised.value.reason, raised.value.code) == ("validation", "permissao_alterar_valor_unitario")

    @pytest.mark.parametrize("status", ["401", "403"])
    async def test_scopes_that_are_missing_are_told_and_no_lost_token(self, tagplus: Subject, status: str) -> None:
        tagplus.sandbox.ask("POST", "/settings", tagplus_scope_status=status)
        async with tagplus.opened(**scoped(tagplus, "pedidos", "registro_atividades")) as provider:
            found = await provider.check()
        assert found.features["missing_scopes"] == ["pedidos", "registro_atividades"]
        assert found.features["takes"] == ["product", "price", "stock"]
        assert found.features["activity_log"] is False

    async def test_what_an_order_can_do_without_is_left_out(self, tagplus: Subject) -> None:
        without = scoped(tagplus, "formas_pagamento", "unidades", "cidades", "tipos_contatos", "tipos_cadastros")
        buyer = replace(BUYER, email="a@b.example", address=OutgoingAddress("Rua A", "1", city="Curitiba", uf="PR"))
        async with tagplus.opened(**without) as provider:
            order = an_order(await provider.create_customer(buyer), await provider.create_product(MUG))
            await provider.create_order(order, await provider.prepare_order(order))
        (sale,) = stored(tagplus, "orders")
        assert sale["faturas"] == []
        (person,) = stored(tagplus, "customers")
        assert person["request"]["enderecos"][0]["informacoes_adicionais"] == "Cidade: Curitiba/PR"

    async def test_the_merchant_is_told_until_nothing_is_missing(self, tagplus: Subject) -> None:
        tagplus.sandbox.ask("POST", ACCOUNT, permissions={"alterar_estoque_produto": False})
        connection = await tagplus.connection(Policy.model_validate(NO_QUOTA), {}, scoped(tagplus, "cidades"))
        await accounts.verify(tagplus.db, connection)
        async with tagplus.db.read() as session:
            (notice,) = await standing_notices(session, connection.merchant_id)
        told = [(problem["field"], problem["reason"], problem["received"]) for problem in notice.params["problems"]]
        assert (notice.code, told) == (
            "account.refused",
            [("permission", "stock", ""), ("scope", "missing", "cidades")],
        )
        tagplus.sandbox.ask("POST", ACCOUNT, permissions={"alterar_estoque_produto": True})
        again = await tagplus.connection(Policy.model_validate(NO_QUOTA), {}, {})
        await accounts.verify(tagplus.db, again)
        async with tagplus.db.read() as session:
            assert list(await standing_notices(session, connection.merchant_id)) == []


class TestWhoseItIs:
    async def test_the_consent_of_another_company_switches_the_connection_off(self, tagplus: Subject) -> None:
        await accounts.verify(tagplus.db, await tagplus.connection(Policy.model_validate(NO_QUOTA), {}, {}))
        tagplus.sandbox.ask("POST", "/tagplus/accounts", name="outra")
        tokens = tagplus.sandbox.ask("POST", "/tagplus/accounts/outra/tokens")
        other = {"access_token": tokens["access_token"], "refresh_token": tokens["refresh_token"]}
        async with tagplus.db.read() as session:
            features = (await connections.find(session, CONNECTION)).features
        again = await tagplus.connection(Policy.model_validate(NO_QUOTA), features, other)
        with pytest.raises(accounts.OtherAccountError):
            await accounts.verify(tagplus.db, again)

    async def test_notes_of_a_branch_are_no_other_company(self, tagplus: Subject) -> None:
        connection = await tagplus.connection(Policy.model_validate(NO_QUOTA), {}, {})
        tagplus.vendor.company()
        await accounts.verify(tagplus.db, connection)
        tagplus.sandbox.ask("POST", ACCOUNT, cnpj="91050001000287")
        async with tagplus.db.read() as session:
            again = await connections.find(session, CONNECTION)
        assert again.account
        assert (await accounts.verify(tagplus.db, again)).account.name


class TestLists:
    @pytest.mark.parametrize("told", [True, False])
    @pytest.mark.parametrize("cap", [7, 100])
    async def test_all_is_listed_whatever_size_the_pages_have(self, tagplus: Subject, told: bool, cap: int) -> None:
        tagplus.sandbox.ask("POST", f"{ACCOUNT}/seed", products=20)
        tagplus.sandbox.ask("POST", "/settings", tagplus_page_cap=cap, tagplus_total_pages=told)
        async with tagplus.opened() as provider:
            balances = [one.external_id async for page in provider.changed_stock(utcnow()) for one in page.records]
        assert sorted(balances) == sorted(tagplus.vendor.on_sale())

    async def test_the_code_of_a_family_of_variations_is_no_products(self, tagplus: Subject) -> None:
        child = {"codigo": "CAM-A", "descricao": "Camisa - Azul", "valor_venda_varejo": 30}
        family = tagplus.sandbox.ask(
            "POST", f"{ACCOUNT}/products", descricao="Camisa", codigo="CAM", tipo="G", filhos=[child]
        )
        async with tagplus.opened() as provider:
            assert len(await provider.find_products("CAM-A")) == 1
            with pytest.raises(CallFailed) as raised:
                await provider.find_products("CAM")
            assert (raised.value.outcome, raised.value.reason) == (Outcome.REJECTED, "validation")
            assert str(family["id"]) in raised.value.detail


class TestPeople:
    async def test_an_order_is_the_customers_and_not_that_of_the_same_entity_number(self, tagplus: Subject) -> None:
        people = [
            replace(BUYER, record_id=f"{n:032x}", document=document)
            for n, document in enumerate(("52998224725", "11144477735", "12345678909", "98765432100"))
        ]
        async with tagplus.opened() as provider:
            ids = [await provider.create_customer(person) for person in people]
            entities = {str(row["id_entidade"]) for row in stored(tagplus, "customers")}
            assert entities & set(ids), "the simulator's two spaces overlap"
            for person, created in zip(people, ids, strict=True):
                assert [found.external_id for found in await provider.find_customers(person)] == [created]

    async def test_two_active_customers_of_one_document_are_the_merchants_to_sort_out(self, tagplus: Subject) -> None:
        async with tagplus.opened() as provider:
            first = await provider.create_customer(BUYER)
            second = await provider.create_customer(replace(BUYER, record_id="f" * 32))
            with pytest.raises(CallFailed) as raised:
                await provider.find_customers(BUYER)
            assert (raised.value.outcome, raised.value.reason) == (Outcome.REJECTED, "validation")
            assert first in raised.value.detail and second in raised.value.detail
            tagplus.sandbox.ask("PATCH", f"{ACCOUNT}/customers/{first}", ativo=False)
            found = await provider.find_customers(BUYER)
        assert [(one.external_id, one.active) for one in found] == [(second, True), (first, False)]

    async def test_a_guest_is_found_among_hundreds_whatever_the_filter_does(self, tagplus: Subject) -> None:
        async with tagplus.opened() as provider:
            for n in range(101):
                await provider.create_customer(replace(GUEST, record_id=f"{n:032x}"))
            for filtering in ("works", "ignored"):
                tagplus.sandbox.ask("POST", "/settings", tagplus_code_filter=filtering)
                found = await provider.find_customers(replace(GUEST, record_id=f"{100:032x}"))
                assert [one.external_id for one in found] == [str(stored(tagplus, "customers")[100]["id"])]

    async def test_where_all_orders_go_a_buyer_needs_a_document(self, tagplus: Subject) -> None:
        async with tagplus.opened(policy=Policy.model_validate({**NO_QUOTA, "orders": "all"})) as provider:
            with pytest.raises(NotSendableError) as raised:
                await provider.find_customers(GUEST)
            assert provider.calls == 0
        (problem,) = raised.value.problems
        assert (raised.value.code, problem.field, problem.reason) == ("order.not_sent", "document", "needed")

    async def test_contacts_are_typed_and_the_erp_writes_to_nobody(self, tagplus: Subject) -> None:
        home = OutgoingAddress("Rua A", "1", "", "Centro", "Curitiba", "PR", "80010000")
        async with tagplus.opened() as provider:
            await provider.create_customer(replace(BUYER, email="a@b.example", phone="4133330000", address=home))
        (person,) = stored(tagplus, "customers")
        assert person["recebe_email"] is False
        assert [row["descricao"] for row in person["contatos"]] == ["a@b.example", "4133330000"]
        (address,) = person["enderecos"]
        assert (address["cidade"]["nome"].casefold(), address["cidade"]["estado"]["sigla"]) == ("curitiba", "PR")


class TestOrders:
    async def test_it_tells_who_sent_it_and_carries_our_id(self, tagplus: Subject) -> None:
        policy = Policy.model_validate({**NO_QUOTA, "order_label": "Loja Sol"})
        async with tagplus.opened(policy=policy) as provider:
            order = an_order(await provider.create_customer(BUYER), await provider.create_product(MUG))
            created = await provider.create_order(order, await provider.prepare_order(order))
            found = await provider.read_order(created)
        (sale,) = stored(tagplus, "orders")
        assert (sale["integracao"], sale["codigo_externo"], sale["valor_total"]) == ("Loja Sol", order.record_id, 70)
        assert (found.stage, found.told, found.number) == ("approved", "B", "1001")
        assert found.erp_number == str(sale["numero"]) != created

    async def test_creating_again_finds_the_first_and_makes_no_other(
        self, tagplus: Subject, shop: tuple[Any, str, str]
    ) -> None:
        provider, customer, product = shop
        order = an_order(customer, product)
        created = await provider.create_order(order, await provider.prepare_order(order))
        async with tagplus.opened() as other:
            assert await other.create_order(order, Attempt()) == Found(created)
        assert len(stored(tagplus, "orders")) == 1

    async def test_it_goes_forward_with_the_store_and_never_back(
        self, tagplus: Subject, shop: tuple[Any, str, str]
    ) -> None:
        provider, customer, product = shop
        placed = an_order(customer, product, stage="open")
        created = await provider.create_order(placed, await provider.prepare_order(placed))
        seen = [(await provider.read_order(created)).told]
        for stage in ("approved", "shipped", "open", "delivered", "cancelled", "approved", "open"):
            at = await provider.move_order(created, replace(placed, stage=stage))
            seen.append((await provider.read_order(created)).told)
            assert at == {"A": "open", "B": "approved", "C": "cancelled"}[seen[-1]]
        assert seen == ["A", "B", "B", "B", "B", "C", "C", "C"]
        writes = [call for call in tagplus.sandbox.calls() if call["operation"] == "PATCH /pedidos/{id}"]
        assert len(writes) == 2

    async def test_what_the_merchant_changes_over_there_is_listed(
        self, tagplus: Subject, shop: tuple[Any, str, str]
    ) -> None:
        provider, customer, product = shop
        ids = []
        for number in ("1001", "1002", "1003"):
            order = an_order(customer, product, number, stage="open")
            ids.append(await provider.create_order(order, await provider.prepare_order(order)))
        tagplus.sandbox.ask("POST", "/clock", advance_s=3600)
        since = datetime.fromisoformat(tagplus.sandbox.ask("GET", "/clock")["now"])
        assert [row async for page in provider.changed_orders(since) for row in page] == []
        tagplus.sandbox.ask("POST", "/clock", advance_s=5)
        tagplus.sandbox.ask("PATCH", f"{ACCOUNT}/orders/{ids[1]}", status="C")
        rows = [row async for page in provider.changed_orders(since) for row in page]
        assert [row.external_id for row in rows] == [ids[1]]
        assert (await provider.read_order(ids[1])).stage == "cancelled"
        assert await provider.read_order("999999") == Gone("999999")


class TestProducts:
    async def test_a_variation_is_found_by_its_code_and_brought_up_to_date(self, tagplus: Subject) -> None:
        tagplus.vendor.stock_up()
        async with tagplus.opened() as provider:
            (found,) = await provider.find_products("Camisa-Azul")
            wanted = replace(MUG, sku="Camisa-Azul", name="Camisa - Azul", price=Decimal("44.90"), gtin="")
            await provider.update_product(found.external_id, wanted)
        there = tagplus.vendor.product("Camisa-Azul")
        assert '"valor_venda_varejo": 44.9' in there and '"tipo": "G"' in there

    async def test_a_code_with_a_comma_is_one_code(self, tagplus: Subject) -> None:
        async with tagplus.opened() as provider:
            await provider.create_product(replace(MUG, sku="A"))
            assert await provider.find_products("A,B") == []
            created = await provider.create_product(replace(MUG, sku="A,B"))
            assert [found.external_id for found in await provider.find_products("A,B")] == [created]

    async def test_deletions_and_lost_changes_are_found_in_the_activity_log(self, tagplus: Subject) -> None:
        async with tagplus.opened(features={"activity_log": True}) as provider:
            gone, kept = [await provider.create_product(replace(MUG, sku=f"C-{n}")) for n in range(2)]
            tagplus.sandbox.ask("POST", "/clock", advance_s=3600)
            since = datetime.fromisoformat(tagplus.sandbox.ask("GET", "/clock")["now"])
            tagplus.sandbox.ask("POST", "/clock", advance_s=5)
            tagplus.sandbox.ask("DELETE", f"{ACCOUNT}/products/{gone}")
            rows = [row async for page in provider.changed_products(since) for row in page.rows]
            assert [row.external_id for row in rows] == [gone]
            assert await provider.read_product(gone) == Gone(gone)
            listed = (await provider.list_products(1)).rows
            assert [row.external_id for row in listed] == [kept]
            tagplus.vendor.reprice(kept, "77.77")
            told = [row async for page in provider.changed_products(since) for row in page.rows]
        assert sorted(row.external_id for row in told) == sorted([gone, kept]), "each once"

    async def test_a_log_that_is_closed_stops_nothing(self, tagplus: Subject) -> None:
        without = scoped(tagplus, "registro_atividades")
        async with tagplus.opened(features={"activity_log": True}, **without) as provider:
            since = utcnow() - timedelta(days=1)
            created = await provider.create_product(MUG)
            for calls in (2, 1):
                before = provider.calls
                pages = [page async for page in provider.changed_products(since)]
                assert [row.external_id for page in pages for row in page.rows] == [created]
                assert provider.calls == before + calls, "it is not asked a second time"

    async def test_every_balance_comes_a_hundred_a_call_and_no_familys(self, tagplus: Subject) -> None:
        tagplus.sandbox.ask("POST", f"{ACCOUNT}/seed", products=230)
        colours = [{"codigo": f"F-{n}", "descricao": f"F - {n}", "qtd_revenda": n} for n in (3, 4)]
        tagplus.sandbox.ask("POST", f"{ACCOUNT}/products", descricao="F", codigo="F", tipo="G", filhos=colours)
        async with tagplus.opened() as provider:
            told = [record async for page in provider.changed_stock(utcnow()) for record in page.records]
            assert provider.calls == 3
        assert all(isinstance(record, StockRecord) for record in told)
        balances = {record.external_id: record.available for record in told}
        theirs = {str(row["id"]): row["qtd_revenda"] for row in stored(tagplus, "products") if row["codigo"] != "F"}
        assert balances == theirs
        assert len(balances) == 232


class TestNotes:
    async def test_each_state_is_told_with_its_order(self, tagplus: Subject, shop: tuple[Any, str, str]) -> None:
        provider, customer, product = shop
        notes: dict[str, str] = {}
        for number, name in ((1001, "authorised"), (1002, "cancelled"), (1003, "denied")):
            order = an_order(customer, product, str(number))
            created = await provider.create_order(order, await provider.prepare_order(order))
            outcome = "2" if name == "denied" else "A"
            made = tagplus.sandbox.ask("POST", f"{ACCOUNT}/orders/{created}/invoice", outcome=outcome)
            if name == "cancelled":
                tagplus.sandbox.ask("POST", f"{ACCOUNT}/invoices/{made['id']}/cancel", reason="Pedido cancelado")
            notes[created] = name
            found = await provider.find_invoice(str(made["id"]))
            assert (found.state, found.order_ref, found.external_id) == (name, created, str(made["id"]))
        rows = [row async for page in provider.list_invoices(*self._days(tagplus)) for row in page]
        assert {row.order_ref: row.state for row in rows} == notes
        assert await provider.find_invoice("999999") == Gone("999999")

    async def test_one_under_way_is_pending(self, tagplus: Subject, shop: tuple[Any, str, str]) -> None:
        provider, customer, product = shop
        tagplus.sandbox.ask("POST", "/settings", tagplus_nfe_delay_s=600)
        note = await self._issued(tagplus, provider, an_order(customer, product))
        assert (await provider.find_invoice(note)).state == "pending"
        tagplus.sandbox.ask("POST", "/clock", advance_s=601)
        assert (await provider.find_invoice(note)).state == "authorised"

    async def test_one_that_does_not_show_yet_is_not_there(self, tagplus: Subject, shop: tuple[Any, str, str]) -> None:
        provider, customer, product = shop
        tagplus.sandbox.ask("POST", "/settings", tagplus_nfe_hidden_s=60)
        note = await self._issued(tagplus, provider, an_order(customer, product))
        assert await provider.find_invoice(note) == Gone(note)
        tagplus.sandbox.ask("POST", "/clock", advance_s=61)
        assert (await provider.find_invoice(note)).state == "authorised"

    @pytest.mark.parametrize("xml", ["raw", "link"])
    async def test_its_xml_comes_either_way_and_by_either_name(
        self, tagplus: Subject, shop: tuple[Any, str, str], xml: str
    ) -> None:
        provider, customer, product = shop
        tagplus.sandbox.ask("POST", "/settings", tagplus_xml=xml)
        order = an_order(customer, product)
        created = await provider.create_order(order, await provider.prepare_order(order))
        tagplus.vendor.invoice(created)
        (row,) = await provider.invoices_of_order(created, *self._days(tagplus))
        document = await provider.read_invoice(row.external_id)
        assert row.access_key.encode() in document
        assert await provider.read_invoice(row.access_key) == document
        assert await provider.read_invoice("999999") == Gone("999999")

    async def _issued(self, tagplus: Subject, provider: Any, order: OutgoingOrder) -> str:
        created = await provider.create_order(order, await provider.prepare_order(order))
        return str(tagplus.sandbox.ask("POST", f"{ACCOUNT}/orders/{created}/invoice")["id"])

    def _days(self, tagplus: Subject) -> tuple[date, date]:
        today = date.fromisoformat(tagplus.sandbox.ask("GET", "/clock")["now"][:10])
        return today - timedelta(days=40), today + timedelta(days=1)
