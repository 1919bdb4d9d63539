"""`track-orders` as a real flow run on a real Prefect server: what it does, and what must not be seen of it there."""

from collections.abc import Iterator

import pytest
from prefect.client.orchestration import PrefectClient

from flows.track_orders import track_orders
from hub.db import Database
from hub.settings import settings
from tests.contract.conftest import sandbox, served
from tests.contract.subjects import Sandbox
from tests.flows import canary
from tests.flows.conftest import _keys
from tests.flows.postman import Postman, postman
from tests.flows.trade import LINES, Trade
from tests.prefect import seen

__all__ = ["_keys", "postman", "sandbox", "served"]

pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture(autouse=True)
def _on_this_database(database_url: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("ESTEIRA_DATABASE_URL", database_url)
    monkeypatch.setenv("ESTEIRA_TINY_SEARCH_LAG_S", "0")
    settings.cache_clear()
    yield
    settings.cache_clear()


async def test_an_order_moves_on_its_buyer_is_told_and_prefect_is_not(
    db: Database, sandbox: Sandbox, postman: Postman, prefect_client: PrefectClient
) -> None:
    erp = await Trade.open(db, sandbox, "tiny_v2", mail_shipped=True)
    await erp.order("1001", LINES, **canary.PERSON)
    await erp.order("1002", LINES, **canary.PERSON)
    await erp.export()
    for number in ("1001", "1002"):
        tracking = {"codigo": f"BR{number}", "url": f"https://rastreio.example/BR{number}"}
        erp.edit((await erp.bound(number)).external_id, situacao="enviado", tracking=tracking)
    postman.answers = {"RCPT": [f"550 <{canary.PERSON['email']}> unknown"]}
    (shown,) = await track_orders(erp.id, dry_run=True)
    assert (shown.tally.changed, postman.asked) == (2, [])
    (summary,) = await track_orders(erp.id)
    assert (summary.outcome, summary.tally.changed) == ("done", 2)
    assert (await erp.known("1001")).stage == "shipped"
    assert postman.asked == [canary.PERSON["email"]] * 2
    assert len(postman.taken) == 1
    assert await erp.told() == ["mail.failed"]

    runs = await seen.runs_of(prefect_client, f"track-orders · {erp.id}")
    tasks = await seen.recorded_tasks(prefect_client, runs[-1:])
    assert [task.name.rpartition("-")[0] for task in tasks] == ["read how orders stand"]
    assert any("e-mails: 1 failed, 1 sent" in log.message for log in await seen.logs_of(prefect_client, runs))
    words = (*canary.WORDS, *await canary.secrets(erp), "demo-token", "rastreio.example")
    for text in await seen.texts_of(prefect_client, runs):
        assert not canary.found_in(text, words), text
