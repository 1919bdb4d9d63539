"""The sending paths as real flow runs on a real Prefect server: what ops see of them, and what must not be seen."""

from collections.abc import Iterator

import pytest
from prefect.client.orchestration import PrefectClient

from flows.export_orders import export_orders
from flows.push_products import push_products
from hub.db import Database
from hub.settings import settings
from tasks.paths import PathFailed
from tests.contract.conftest import sandbox, served
from tests.contract.subjects import Sandbox
from tests.flows import canary
from tests.flows.conftest import _keys
from tests.flows.erp import Erp
from tests.flows.erp_fixtures import contaazul
from tests.prefect import seen

__all__ = ["_keys", "contaazul", "sandbox", "served"]

pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture
def on_this_database(database_url: str, contaazul: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Flows open the database that the settings name."""
    monkeypatch.setenv("ESTEIRA_DATABASE_URL", database_url)
    monkeypatch.setenv("ESTEIRA_RETRY_ATTEMPTS", "2")
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.fixture
async def erp(db: Database, sandbox: Sandbox, on_this_database: None) -> Erp:
    made = await Erp.connect(db, sandbox)
    await made.offer("CAN-1", "25.00")
    await made.select("CAN-1")
    return made


async def test_prefect_holds_nothing_of_a_buyer_and_no_token(
    erp: Erp, sandbox: Sandbox, prefect_client: PrefectClient
) -> None:
    """A good run, one whose answers are lost, a refusal that quotes the CPF, and a connection that is lost."""
    secrets = await canary.secrets(erp)
    body = {"nome": "Outra", "tipo_pessoa": "Física", "cpf": canary.CPF, "perfis": [{"tipo_perfil": "Cliente"}]}
    sandbox.ask("POST", "/settings", contaazul_duplicate_person="refuse", contaazul_search_lag_s=3600)
    sandbox.ask("POST", "/contaazul/accounts/demo/people", **body)
    await erp.order("1001", [("CAN-1", "2", "25.00")], **canary.PERSON)
    await export_orders(erp.id)
    sandbox.ask("POST", "/settings", contaazul_duplicate_person="accept", contaazul_search_lag_s=0)
    sandbox.fault("answer_lost", match={"operation": "POST /v1/venda"})
    await erp.order("1002", [("CAN-1", "2", "25.00")], **canary.PERSON)
    for path in (export_orders, export_orders, push_products):
        await path(erp.id)
    assert [sale["observacoes"].split(" ")[1] for sale in erp.sales()] == ["1002"]
    secrets |= await canary.secrets(erp)
    sandbox.ask("POST", "/contaazul/accounts/demo/revoke")
    sandbox.ask("POST", "/clock", advance_s=3601)
    await erp.order("1003", [("CAN-1", "2", "25.00")], **canary.PERSON)
    with pytest.raises(PathFailed):
        await export_orders(erp.id)

    runs = await seen.runs_of(prefect_client, erp.id)
    assert len(runs) >= 5
    assert any("stopped" in log.message for log in await seen.logs_of(prefect_client, runs))
    assert await seen.recorded_tasks(prefect_client, runs)
    for text in await seen.texts_of(prefect_client, runs):
        assert not canary.found_in(text, (*canary.WORDS, *secrets)), text
