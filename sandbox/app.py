"""The sandbox as one ASGI application: vendors under `/tiny/…` and their like, control API under `/_sandbox/…`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.contaazul.control import routes as contaazul_routes
from sandbox.contaazul.settings import CONTAAZUL_SETTINGS
from sandbox.contaazul.vendor import OPS as CONTAAZUL_OPS
from sandbox.contaazul.vendor import PREFIX as CONTAAZUL
from sandbox.contaazul.vendor import ContaAzul
from sandbox.core.calllog import CallLog
from sandbox.core.clock import Clock, iso
from sandbox.core.control import control_app
from sandbox.core.deliveries import DELIVERY_SETTINGS, Deliveries
from sandbox.core.exchange import Receive, Scope, Send, exchange
from sandbox.core.faults import Faults
from sandbox.core.scripts import Scripts
from sandbox.core.settings import CORE_SETTINGS, Settings
from sandbox.tagplus.control import routes as tagplus_routes
from sandbox.tagplus.settings import TAGPLUS_SETTINGS
from sandbox.tagplus.vendor import OPS as TAGPLUS_OPS
from sandbox.tagplus.vendor import PREFIX as TAGPLUS
from sandbox.tagplus.vendor import TagPlus
from sandbox.tiny.accounts import find_plan
from sandbox.tiny.control import routes as tiny_routes
from sandbox.tiny.settings import TINY_SETTINGS
from sandbox.tiny.vendor import EDITS, Tiny

DEMO = "demo"
SETTINGS = {**CORE_SETTINGS, **DELIVERY_SETTINGS, **TINY_SETTINGS, **CONTAAZUL_SETTINGS, **TAGPLUS_SETTINGS}


@dataclass(frozen=True, slots=True)
class Start:
    """How a sandbox begins and what a reset returns to.

    `size` alone generates that many products; with `olist` it is how many rows are read. `settings` are those
    of `core.settings`, `core.deliveries` and of the vendors.
    """

    plan: str = "evoluir"
    size: int | None = None
    olist: Path | None = None
    clock_rate: float = 1.0
    settings: Mapping[str, Any] = field(default_factory=dict)

    def catalogue(self) -> dict[str, Any]:
        """Return the body that seeds the account `demo`."""
        if self.olist is not None:
            return {"catalog": "olist", "folder": str(self.olist), "size": self.size}
        if self.size is not None:
            return {"catalog": "generated", "size": self.size}
        return {"catalog": "default"}


class Sandbox:
    """The running sandbox (an ASGI application); `reset` gives it a fresh state."""

    def __init__(self, start: Start) -> None:
        self.start = start
        self._begin(None)
        routes = (
            *tiny_routes(lambda: self.tiny),
            *contaazul_routes(lambda: self.contaazul),
            *tagplus_routes(lambda: self.tagplus),
        )
        self._control = control_app(self, list(routes))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer an HTTP request."""
        path = scope["path"] if scope["type"] == "http" else ""
        if path.startswith("/tiny/"):
            await exchange(self, self.tiny.open, self.edit, scope, receive, send)
        elif path.startswith(f"{CONTAAZUL}/"):
            await exchange(self, self.contaazul.open, self.edit, scope, receive, send)
        elif path.startswith(f"{TAGPLUS}/"):
            await exchange(self, self.tagplus.open, self.edit, scope, receive, send)
        else:
            await self._control(scope, receive, send)

    def reset(self, catalog: str | None) -> None:
        """Forget everything and start over: settings and catalogue of the start, or the named catalogue."""
        self.deliveries.close()
        self.tagplus.close()
        self._begin(catalog)

    def _begin(self, catalog: str | None) -> None:
        self.clock = Clock(rate=self.start.clock_rate)
        self.settings = Settings(SETTINGS, self.start.settings)
        self.deliveries = Deliveries(self.clock, self.settings)
        self.log = CallLog()
        self.faults = Faults()
        self.clear_scripts()
        self.tiny = Tiny(self.clock, self.settings, self.deliveries)
        self.contaazul = ContaAzul(self.clock, self.settings)
        self.contaazul.create_account(DEMO, {})
        self.tagplus = TagPlus(self.clock, self.settings, self.deliveries)
        self.tagplus.create_account(DEMO, {})
        demo = self.tiny.create_account(DEMO, {"plan": find_plan(self.start.plan).name})
        self.tiny.seed(demo, self.start.catalogue() if catalog is None else {"catalog": catalog})

    def edit(self, step: Mapping[str, Any], account: str | None) -> None:
        """Do one step of a script: push the clock, or a merchant's edit."""
        if step["op"] == "advance":
            self.clock.advance(float(step.get("seconds", 0)))
        elif step["op"] in CONTAAZUL_OPS:
            self.contaazul.edit(step, account)
        elif step["op"] in TAGPLUS_OPS:
            self.tagplus.edit(step, account)
        else:
            self.tiny.edit(step, account)

    def clear_calls(self) -> None:
        """Forget the calls; numbering starts at 1 again."""
        self.log = CallLog()

    def clear_scripts(self) -> None:
        """Forget the scripts, done and waiting."""
        self.scripts = Scripts((*EDITS, *CONTAAZUL_OPS, *TAGPLUS_OPS, "advance"))

    def settings_changed(self) -> None:
        """Hand changed settings on to the vendors."""
        self.tiny.settings_changed()

    def settle(self) -> None:
        """Let the vendors do what the clock made due."""
        self.tagplus.settle()

    def summary(self) -> dict[str, Any]:
        """Return what the sandbox holds."""
        return {
            "now": iso(self.clock.now()),
            "clock_rate": self.clock.rate,
            "vendors": {
                "tiny": {n: len(a.store.products) for n, a in self.tiny.accounts.items()},
            },
            "contaazul": {n: a.counts() for n, a in self.contaazul.accounts.items()},
            "tagplus": {n: a.counts() for n, a in self.tagplus.accounts.items()},
            "calls": self.log.arrived,
            "faults": len(self.faults.planted),
            "scripts": len(self.scripts.all),
            "deliveries": self.deliveries.totals(),
        }


def create_app(
    *,
    plan: str = "evoluir",
    size: int | None = None,
    olist: Path | None = None,
    clock_rate: float = 1.0,
    settings: Mapping[str, Any] | None = None,
) -> Sandbox:
    """Return a sandbox with the account `demo`; ValueError when an option is wrong.

    Serve it with `sandbox.core.server.make_server`: connection faults need its protocol.
    """
    return Sandbox(Start(plan, size, olist, clock_rate, settings or {}))
