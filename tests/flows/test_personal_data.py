"""A planted buyer and planted tokens: sent to the ERP and found nowhere else in clear, however badly it goes."""

import json
from pathlib import Path
from typing import Any

import pytest

from hub.db import Database
from hub.settings import settings
from sandbox.core.faults import FAULTS
from tasks.paths import PathFailed
from tests.contract.subjects import Sandbox
from tests.flows import canary
from tests.flows.erp import Erp
from tests.flows.erp_fixtures import contaazul

__all__ = ["contaazul"]


@pytest.fixture
async def erp(hub_db: Database, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Erp:
    monkeypatch.setenv("ESTEIRA_READ_TIMEOUT_S", "1")
    monkeypatch.setenv("ESTEIRA_RETRY_ATTEMPTS", "2")
    settings.cache_clear()
    made = await Erp.connect(hub_db, sandbox)
    await made.offer("CAN-1", "25.00")
    await made.select("CAN-1")
    await made.order("1001", [("CAN-1", "2", "25.00")], **canary.PERSON)
    return made


class Watch:
    """Runs the flows and keeps what is said meanwhile."""

    def __init__(self, erp: Erp, folder: Path) -> None:
        self.erp, self.folder = erp, folder
        self.said: list[str] = []
        self.secrets: set[str] = set()

    async def run(self) -> None:
        self.secrets |= await canary.secrets(self.erp)
        with canary.everything_logged() as said:
            for path in (self.erp.export, self.erp.push):
                try:
                    self.said.append(repr(await path()))
                except PathFailed as failed:
                    self.said.append(canary.told_by(failed))
        self.said += said
        self.secrets |= await canary.secrets(self.erp)

    def check(self) -> None:
        words = (*canary.WORDS, *self.secrets)
        assert len(self.secrets) >= 3 and self.said
        for text in self.said:
            assert not canary.found_in(text, words), f"said: {text[:2000]}"
        for place, value in canary.stored(self.folder):
            assert not canary.found_in(value, words), f"stored in clear in {place}: {value[:2000]}"


async def test_a_good_run_tells_nobody_who_bought(erp: Erp, tmp_path: Path) -> None:
    watch = Watch(erp, tmp_path)
    await watch.run()
    watch.check()
    (person,) = erp.people()
    assert person["email"] == canary.PERSON["email"], "the ERP was told"
    assert "Gertrudes" in erp.sales()[0]["observacoes"]


@pytest.mark.parametrize("operation", ["GET *", "POST /v1/*", "*/oauth/token"])
@pytest.mark.parametrize("fault", sorted(FAULTS))
async def test_no_fault_on_the_way_makes_us_tell_it(
    fault: str, operation: str, erp: Erp, sandbox: Sandbox, tmp_path: Path
) -> None:
    watch = Watch(erp, tmp_path)
    if "oauth" in operation:
        sandbox.fault("token_expired", match={"operation": "GET *"})
    more: dict[str, Any] = {"stall_s": 2} if fault == "stall" else {}
    sandbox.fault(fault, times=3, match={"operation": operation}, **more)
    for _ in range(2):
        await watch.run()
    sandbox.ask("DELETE", "/faults")
    await watch.run()
    watch.check()


async def test_a_refusal_that_quotes_the_buyer_is_shown_without_the_quotation(
    erp: Erp, sandbox: Sandbox, tmp_path: Path
) -> None:
    """The person is there, no search shows it yet, and the create is refused: “Já existe uma pessoa com o CPF …”."""
    sandbox.ask("POST", "/settings", contaazul_duplicate_person="refuse", contaazul_search_lag_s=3600)
    body = {"nome": "Outra", "tipo_pessoa": "Física", "cpf": canary.CPF, "perfis": [{"tipo_perfil": "Cliente"}]}
    sandbox.ask("POST", "/contaazul/accounts/demo/people", **body)
    watch = Watch(erp, tmp_path)
    await watch.run()
    watch.check()
    assert "order.not_sent" in await erp.notices(), "it was refused"
    told = [json.loads(value) for place, value in canary.stored(tmp_path) if place == "notice.params"]
    words = [problem["received"] for params in told for problem in params.get("problems", ())]
    assert words == ["Já existe uma pessoa com o documento •••"]
