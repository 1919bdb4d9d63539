"""Fixtures for tests that send: our settings pointed to the simulated Conta Azul."""

import pytest

from hub.settings import settings
from tests.contract.subjects import Sandbox


@pytest.fixture(autouse=True)
def contaazul(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Conta Azul is the sandbox; a search shows at once what was made unless a test says otherwise."""
    monkeypatch.setenv("ESTEIRA_CONTAAZUL_API_URL", f"{sandbox.url}/contaazul")
    monkeypatch.setenv("ESTEIRA_CONTAAZUL_TOKEN_URL", f"{sandbox.url}/contaazul/oauth/token")
    monkeypatch.setenv("ESTEIRA_CONTAAZUL_SEARCH_LAG_S", "0")
    monkeypatch.setenv("ESTEIRA_READ_TIMEOUT_S", "10")
    settings.cache_clear()
