"""`esteira demo`: the main job, whole, on invented data.

A shop is connected to the simulated ERP, its catalogue and stock come in by real flow runs on a real Prefect server,
the merchant changes a few things over there, and the second round brings just those. Everything lies in a folder of its
own (`demo` under the home) and nothing of it is left running.
"""

import asyncio
import os
import shutil
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from sqlalchemy import func, select
from sqlmodel import col

from deployments import prefect_env
from deployments.commands import _shown as shown
from deployments.commands._checking import check
from deployments.up import Parts, Running, running
from hub import connections, money, texts
from hub.db import Database
from hub.notices import standing_notices
from hub.policy import Policy
from hub.settings import Settings, settings
from hub.start import open_hub
from hub.tables import Picture, Price, Product

if TYPE_CHECKING:
    from tasks.work import Summary

MERCHANT = "Loja Demo"
SHOWN = ("CAN-300", "CAM-BASIC-1", "TAB-BAM")


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
    shown.say("Esteira demo: a shop, a simulated Olist Tiny, a Prefect server. About a minute.\n")
    async with running(embedded, Parts(worker=False, web=False), free_ports=True, say=shown.say) as started:
        _point_to(started)
        db = open_hub()
        try:
            rounds = await _rounds(db, started.addresses["Sandbox"])
            await _tell(db, rounds, _shortest(home))
        finally:
            await db.close()
    return 0 if all(one.summary.outcome == "done" for one in rounds) else 1


async def _rounds(db: Database, sandbox: str) -> list[Round]:
    from prefect.logging.handlers import APILogHandler  # noqa: PLC0415

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
    # What is still on its way to Prefect's log must arrive before its server ends.
    await APILogHandler.aflush()
    return rounds


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


async def _tell(db: Database, rounds: list[Round], home: str) -> None:
    """The tables at the end."""
    async with db.read() as session:
        counts = await session.execute(
            select(col(Product.kind), func.count(), func.count(col(Product.stock_quantity)))
            .where(col(Product.active))
            .group_by(col(Product.kind))
            .order_by(col(Product.kind))
        )
        kinds = [(kind, number, with_stock) for kind, number, with_stock in counts]
        sample = await session.execute(
            select(
                col(Product.sku),
                col(Product.name),
                col(Price.list_price),
                col(Price.promotional_price),
                col(Product.stock_quantity),
                select(func.count()).where(col(Picture.product_id) == col(Product.id)).scalar_subquery(),
            )
            .join(Price, col(Price.product_id) == col(Product.id))
            .where(col(Product.sku).in_(SHOWN))
            .order_by(col(Product.sku))
        )
        products = [
            (sku, name[:40], money.brl(price), money.brl(promo) if promo else "", stock, pictures)
            for sku, name, price, promo, stock, pictures in sample
        ]
        notices = await standing_notices(session)
    shown.table("In the store now", ("what", "products", "with stock"), kinds)
    shown.table("Three of them", ("SKU", "name", "price", "promotional", "stock", "pictures"), products)
    told = [texts.render(n.code, {"kind": "tiny_v2", **n.params}) for n in notices]
    shown.table("Avisos ao lojista", ("aviso", "o que fazer"), [(text.title, text.action) for text in told])
    columns = ("run", "how", "read", "created", "changed", "unchanged", "refused", "calls", "seconds")
    rows = [
        (
            one.title,
            one.summary.tally.mode,
            one.summary.tally.read,
            one.summary.tally.created,
            one.summary.tally.changed,
            one.summary.tally.unchanged,
            one.summary.tally.failed,
            one.summary.tally.calls,
            round(one.summary.tally.seconds, 1),
        )
        for one in rounds
    ]
    shown.table("What was done", columns, rows)
    shown.say(
        f"\nSee more:\n"
        f"  ESTEIRA_HOME={home} .venv/bin/esteira status     connections, runs, notices of this demo\n"
        f"  ESTEIRA_HOME={home} .venv/bin/esteira notices    each notice in full\n"
        f"  make up                                        leave it all running, with Prefect's UI\n"
    )


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
    }
    settings.cache_clear()
    prefect_env.apply(started.settings)


def _shortest(path: Path) -> str:
    """The path as one would type it from here."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _yes(features: dict[str, Any]) -> str:
    return "yes" if features.get("update_lists") else "no"
