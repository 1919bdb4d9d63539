"""`esteira demo`: the main job, whole, on invented data.

The paths end to end, by real flow runs on a real Prefect server: a shop's catalogue and stock come in from the
simulated Tiny, the merchant changes a few things over there and the next round brings just those; selected products
go on to the simulated Conta Azul with +10 %, the store's paid orders follow, and the invoices come back. Then real
time: the simulated Tiny and TagPlus post webhooks over HTTP. Everything lies in a folder of its own (`demo` under the
home) and nothing of it is left running.
"""

import asyncio
import os
import shutil
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from deployments import demo_live, prefect_env
from deployments import demo_tables as tables
from deployments.commands import _shown as shown
from deployments.commands._checking import check
from deployments.up import Parts, Running, running
from hub import connections
from hub.clock import utcnow
from hub.connections import slug
from hub.db import Database
from hub.orders import Buyer, Line, PlacedOrder, put_order
from hub.payments import pay
from hub.policy import Policy
from hub.selection import select_products
from hub.settings import Settings, settings
from hub.start import open_hub

if TYPE_CHECKING:
    from tasks.work import Summary

MERCHANT = "Loja Demo"
SELECTED = ("CAN-300", "CAM-BASIC-1", "TAB-BAM")


@dataclass(frozen=True)
class Round:
    """One run of one path, for the last table."""

    title: str
    summary: "Summary"


async def run() -> int:
    """Run the demo. Returns the exit code: 0 when every round did what it should."""
    home = (settings().home / "demo").absolute()
    _begin_anew(home)
    embedded = Settings(home=home, database_url="")
    shown.say("Esteira demo: two shops; Olist Tiny, Conta Azul, TagPlus, simulated; a Prefect server. A minute.\n")
    async with running(embedded, Parts(worker=False), free_ports=True, say=shown.say) as started:
        _point_to(started)
        db = open_hub()
        try:
            rounds = await _rounds(db, started.addresses["Sandbox"])
            played = await demo_live.play(db, started.addresses["Sandbox"], started.addresses["Web"])
            await _logs_arrive()
            await tables.summary(db, [(one.title, one.summary) for one in rounds], _shortest(home))
        finally:
            await db.close()
    done = all(one.summary.outcome == "done" for one in rounds)
    return 0 if done and all(one.seconds is not None for one in played) else 1


async def _rounds(db: Database, sandbox: str) -> list[Round]:
    return [*await _from_tiny(db, sandbox), *await _to_conta_azul(db, sandbox)]


async def _logs_arrive() -> None:
    """What is still on its way to Prefect's log must arrive before its server ends."""
    from prefect.logging.handlers import APILogHandler  # noqa: PLC0415 imports Prefect, after its settings are there

    await APILogHandler.aflush()


async def _from_tiny(db: Database, sandbox: str) -> list[Round]:
    from flows.pull_catalog import pull_catalog  # noqa: PLC0415 imports Prefect, after its settings are there
    from flows.pull_stock import pull_stock  # noqa: PLC0415

    await asyncio.to_thread(_lift_the_quota, sandbox)
    async with db.write() as session:
        connection = await connections.install(
            session,
            merchant=MERCHANT,
            kind="tiny_v2",
            side="erp",
            credentials={"token": "demo-token"},
            policy=Policy(calls_per_minute=0),
            connection_id="loja-demo-tiny",
        )
    found = await check(db, connection.id)
    shown.say(f"\nconnected {connection.id}: account {found.account!r}, update lists: {_yes(found.features)}\n")
    rounds = []
    with shown.progress():
        rounds.append(Round("first catalogue pull", (await pull_catalog(connection.id))[0]))
        rounds.append(Round("first stock pull", (await pull_stock(connection.id))[0]))
        shown.say("\n… the merchant changes a price and a stock, deletes a product and mends another over there …\n")
        await asyncio.to_thread(_work_as_the_merchant, sandbox)
        rounds.append(Round("catalogue, next pull", (await pull_catalog(connection.id))[0]))
        rounds.append(Round("stock, next pull", (await pull_stock(connection.id))[0]))
    await tables.catalogue(db)
    return rounds


async def _to_conta_azul(db: Database, sandbox: str) -> list[Round]:
    from flows.export_orders import export_orders  # noqa: PLC0415
    from flows.pull_invoices import pull_invoices  # noqa: PLC0415
    from flows.push_products import push_products  # noqa: PLC0415

    tokens = await asyncio.to_thread(_open_conta_azul, sandbox)
    async with db.write() as session:
        connection = await connections.install(
            session,
            merchant=MERCHANT,
            kind="contaazul",
            side="erp",
            credentials={"client_id": "demo-client", "client_secret": "demo-client-secret", **tokens},
            policy=Policy(calls_per_minute=0, send_mode="selected", price_adjustment=Decimal(10)),
            connection_id="loja-demo-contaazul",
        )
    found = await check(db, connection.id)
    shown.say(f"\nconnected {connection.id}: account {found.account!r}, prices +10 %\n")
    async with db.write() as session:
        connection = await connections.find(session, connection.id)
        await select_products(session, connection, SELECTED)
    rounds = []
    with shown.progress():
        rounds.append(Round("products to Conta Azul", (await push_products(connection.id))[0]))
    await tables.pushed(db, connection.id)
    await _sell(db)
    with shown.progress():
        rounds.append(Round("paid orders to Conta Azul", (await export_orders(connection.id))[0]))
    await tables.exported(db, connection.id)
    shown.say("… the simulated ERP issues the invoices …\n")
    await asyncio.to_thread(_let_invoices_be_issued, sandbox)
    with shown.progress():
        rounds.append(Round("invoices to the store", (await pull_invoices(connection.id))[0]))
    await tables.invoiced(db)
    return rounds


async def _sell(db: Database) -> None:
    """Four orders in the store: three are paid, one of them by a guest; the fourth waits for its payment."""
    buyers = (
        Buyer("Cliente Um da Loja Demo", "529.982.247-25", "um@cliente.example"),
        Buyer("Comércio Dois Ltda", "11.222.333/0001-81", "dois@cliente.example"),
        Buyer("Visitante", email="tres@cliente.example"),
        Buyer("Cliente Um da Loja Demo", "529.982.247-25", "um@cliente.example"),
    )
    for place, buyer in enumerate(buyers):
        number = f"DEMO-{place + 1}"
        lines = tuple(Line(sku, sku, Decimal(place + 1), Decimal("32.40")) for sku in SELECTED[: place + 1])
        freight, discount = Decimal("12.50"), Decimal("2.40")
        total = sum((line.quantity * line.unit_price for line in lines), freight - discount)
        placed = PlacedOrder(
            number=number,
            placed_at=utcnow(),
            buyer=buyer,
            lines=lines,
            total=total,
            discount=discount,
            freight=freight,
            payment_method="pix",
            instalments=1 + place % 3,
        )
        async with db.write() as session:
            await put_order(session, slug(MERCHANT), placed)
            if place < len(buyers) - 1:
                await pay(session, slug(MERCHANT), number, "pagamento-1", total)


def _open_conta_azul(sandbox: str) -> dict[str, Any]:
    """The simulated account without a quota, and a first pair of tokens, as if the merchant had consented."""
    account = f"{sandbox}/_sandbox/contaazul/accounts/demo"
    with httpx.Client() as client:
        client.post(account, json={"per_second": None, "per_minute": None}).raise_for_status()
        told = client.post(f"{account}/tokens").raise_for_status().json()
    return {
        "access_token": told["access_token"],
        "refresh_token": told["refresh_token"],
        "lifetime_s": told["expires_in"],
    }


def _let_invoices_be_issued(sandbox: str) -> None:
    """The simulated ERP issues them ten minutes of its clock after a sale was approved."""
    httpx.post(f"{sandbox}/_sandbox/clock", json={"advance_s": 900}).raise_for_status()


def _lift_the_quota(sandbox: str) -> None:
    """A hundred products at Tiny's 60 calls a minute would take two minutes of watching."""
    httpx.post(f"{sandbox}/_sandbox/tiny/accounts/demo", json={"plan": "unlimited"}).raise_for_status()


def _work_as_the_merchant(sandbox: str) -> None:
    """What a merchant does in the ERP between two pulls."""
    account = f"{sandbox}/_sandbox/tiny/accounts/demo/products"
    with httpx.Client() as client:
        by_sku: dict[str, dict[str, Any]] = {p["codigo"]: p for p in client.get(account).json() if p["codigo"]}
        mug, shirt = by_sku["CAN-300"], by_sku["CAM-BASIC-1"]
        raised = str((Decimal(str(mug["preco"])) + Decimal("2.50")).quantize(Decimal("0.01")))
        client.patch(f"{account}/{mug['id']}", json={"preco": raised}).raise_for_status()
        deposit = next(iter(shirt["estoque"]))
        moved = {"deposit": deposit, "balance": 3, "reserved": 1}
        client.post(f"{account}/{shirt['id']}/stock", json=moved).raise_for_status()
        client.patch(f"{account}/{by_sku['RUIM-PRECO']['id']}", json={"preco": "20.00"}).raise_for_status()
        client.delete(f"{account}/{by_sku['CAD-200']['id']}").raise_for_status()


def _begin_anew(home: Path) -> None:
    """Yesterday's shop goes; Prefect's own database stays, as a new one takes 20 s to make."""
    home.mkdir(parents=True, exist_ok=True)
    for file in home.glob("esteira.db*"):
        file.unlink()
    shutil.rmtree(home / "logs", ignore_errors=True)


def _point_to(started: Running) -> None:
    """This process and what it imports from now on: the demo's home, the simulated ERP, the demo's Prefect."""
    tiny = f"{started.addresses['Sandbox']}/tiny"
    os.environ |= {
        "ESTEIRA_HOME": str(started.settings.home),
        "ESTEIRA_DATABASE_URL": "",
        "ESTEIRA_PREFECT_PORT": str(started.settings.prefect_port),
        "ESTEIRA_TINY_V2_URL": f"{tiny}/api2",
        "ESTEIRA_CONTAAZUL_API_URL": f"{started.addresses['Sandbox']}/contaazul",
        "ESTEIRA_CONTAAZUL_TOKEN_URL": f"{started.addresses['Sandbox']}/contaazul/oauth/token",
        "ESTEIRA_TAGPLUS_API_URL": f"{started.addresses['Sandbox']}/tagplus/api",
        "ESTEIRA_TAGPLUS_TOKEN_URL": f"{started.addresses['Sandbox']}/tagplus/api/oauth2/token",
    }
    settings.cache_clear()
    prefect_env.apply(started.settings)


def _shortest(path: Path) -> str:
    """The path as one would type it from here."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _yes(features: dict[str, Any]) -> str:
    return "yes" if features.get("update_lists") else "no"
