"""Webhook addresses and events, as ops see them."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub import inbox
from hub.inbox import Arrival
from hub.start import open_hub
from tests.deployments.test_commands import Esteira, connect_v2, esteira, home, served, tiny

__all__ = ["esteira", "home", "served", "tiny"]

ID = "loja-sol-tiny-v2"


def arrive(*bodies: str, **told: Any) -> None:
    async def store() -> None:
        db = open_hub()
        async with db.write() as session:
            await inbox.store(session, [Arrival(ID, "loja-sol", "estoque", body.encode(), **told) for body in bodies])
        await db.close()

    asyncio.run(store())


@pytest.fixture
def connected(esteira: Esteira) -> Esteira:
    assert connect_v2(esteira).code == 0
    return esteira


def addresses(esteira: Esteira) -> dict[str, str]:
    (shown,) = esteira("status", "--connection", ID, "--json").json["connections"]
    return {door["topic"]: door["address"] for door in shown["webhooks"]}


def test_status_of_one_connection_shows_an_address_a_topic_to_be_pasted(
    connected: Esteira, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = addresses(connected)
    assert set(found) == {"produto", "estoque", "precos", "situacao", "rastreio", "nota", "pedidos"}
    assert len(set(found.values())) == len(found)
    assert all(address.startswith("http://localhost:8080/hooks/") for address in found.values())
    assert "Webhooks da conta" in connected("status", "--connection", ID).out
    every = connected("status", "--json").json["connections"]
    assert "webhooks" not in every[0], "addresses are secrets: they are shown when they are asked for"


def test_renewed_addresses_are_others(connected: Esteira) -> None:
    before = addresses(connected)
    renewed = connected("inbox", "renew", "--connection", ID, "--yes", "--json").json["webhooks"]
    assert {door["topic"]: door["address"] for door in renewed} == addresses(connected)
    assert not set(before.values()) & set(addresses(connected).values())


def test_events_are_listed_with_what_became_of_them_and_bodies_only_when_asked(connected: Esteira) -> None:
    arrive('{"tipo": "estoque", "dados": {"idProduto": 1}}')
    arrive("no event", state="broken", reason="received 8 bytes that are no JSON")
    listed = connected("inbox", "list", "--connection", ID, "--json").json["events"]
    assert [(event["topic"], event["state"]) for event in listed] == [("estoque", "broken"), ("estoque", "pending")]
    assert all("body" not in event for event in listed)
    (broken,) = connected("inbox", "list", "--state", "broken", "--body", "--json").json["events"]
    assert (broken["body"], broken["reason"]) == ("no event", "received 8 bytes that are no JSON")
    (shown,) = connected("status", "--json").json["connections"]
    assert shown["events"] == {"broken": 1, "pending": 1}


def test_a_dry_run_of_the_drain_shows_and_a_real_one_sees_to_it(connected: Esteira, tiny: httpx.Client) -> None:
    connected("sync", "pull-catalog", "--connection", ID)
    connected("sync", "pull-stock", "--connection", ID)
    product = tiny.get("/tiny/accounts/demo/products", params={"sku": "CAN-300"}).json()[0]
    arrive(f'{{"tipo": "estoque", "dados": {{"idProduto": {product["id"]}}}}}')
    dry = connected("sync", "drain-inbox", "--connection", ID, "--dry-run", "--json")
    assert (dry.code, [change["op"] for run in dry.json["connections"] for change in run["changes"]]) == (0, ["read"])
    real = connected("sync", "drain-inbox", "--connection", ID, "--json")
    assert real.code == 0
    (event,) = connected("inbox", "list", "--json").json["events"]
    assert event["state"] == "done"


def test_what_has_ended_can_be_replayed_and_what_cannot_is_said(connected: Esteira, home: Path) -> None:
    arrive('{"tipo": "outra", "dados": {}}')
    connected("sync", "drain-inbox", "--connection", ID)
    (event,) = connected("inbox", "list", "--json").json["events"]
    assert event["state"] == "ignored"
    assert connected("inbox", "replay", "--json").json["replayed"] == []
    answer = connected("inbox", "replay", event["id"], "nobody", "--json")
    assert (answer.code, answer.json) == (1, {"replayed": [event["id"]], "not_replayed": ["nobody"]})
    assert connected("inbox", "replay", "--state", "broken").code == 1
    assert "valid are done, ignored, failed" in connected("inbox", "replay", "--state", "broken").err
