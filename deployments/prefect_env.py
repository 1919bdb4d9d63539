"""Every setting of Prefect that Esteira relies on, in one place: the environment of its server, worker and flows.

The measurements behind the values were made on Prefect 3.8.8; a later version needs them checked again
(`tests/deployments/test_prefect_env.py` fails when a name is no longer known).
"""

import ipaddress
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from deployments.errors import Fault
from hub.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
"""The folder that holds `prefect.yaml` and the flows."""

HEARTBEAT_S = 30
"""How often a flow tells that it lives, in seconds; 30 is the least that Prefect takes."""

ZOMBIE_AFTER_S = 90
"""A flow run that has told nothing for so long is dead: three heartbeats missed."""

_FIXED = {
    # Nothing is told to anybody.
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_TELEMETRY_ENABLE_RESOURCE_METRICS": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    # A missing API address must fail; left on, a flow starts a hidden server on a database of its own.
    "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
    # One event a transaction costs the server 60 ms of CPU a task run, batches of this size 15 to 20.
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_READ_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TRIGGERS_READ_BATCH_SIZE": "100",
    # In memory, the default, a server that is killed loses its slots for good: the deployment stands still.
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
    # A run that waits for a slot asks again after this; 30 s would be the default.
    "PREFECT_SERVER_DEPLOYMENTS_CONCURRENCY_SLOT_WAIT_SECONDS": "5",
    # Flow runs are kept for ever otherwise; with it, 90 days.
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_S),
    "PREFECT_WORKER_QUERY_SECONDS": "1",
    "PREFECT_RUNNER_POLL_FREQUENCY": "1",
}

_OURS = (
    "PREFECT_HOME",
    "PREFECT_PROFILES_PATH",
    "PREFECT_PROFILE",
    "PREFECT_API_URL",
    "PREFECT_API_KEY",
    "PREFECT_SERVER_API_HOST",
    "PREFECT_SERVER_API_PORT",
    "PREFECT_SERVER_DATABASE_CONNECTION_URL",
)
"""Never taken from the surroundings: they would lead to another project's Prefect. ESTEIRA_* settings say them."""


class NotProtected(Fault):
    """Esteira was to listen beyond this machine with nothing to keep strangers out."""


def prefect_env(
    settings: Settings, *, port: int | None = None, surroundings: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The Prefect settings of every process of ours, to be put over the environment of a child.

    A PREFECT_* variable that the operator has set (environment or `.env`) wins, save those of `_OURS`. The folder
    `home/prefect` and the encryption key in it are made on first use.

    Args:
        settings: the hub's; home, ports, bind host, Prefect's database and credential are read from it.
        port: where Prefect's server listens, if not `settings.prefect_port`.
        surroundings: the environment to respect; this process's by default.

    Raises:
        NotProtected: the bind host is not loopback and no credential is set.
    """
    given = os.environ if surroundings is None else surroundings
    home = (settings.home / "prefect").absolute()
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    port = port or settings.prefect_port
    ours = {
        **_FIXED,
        **_credential(settings, given),
        "PREFECT_HOME": str(home),
        "PREFECT_PROFILES_PATH": str(home / "profiles.toml"),
        "PREFECT_API_URL": f"http://{reachable(settings.bind_host)}:{port}/api",
        "PREFECT_SERVER_API_HOST": settings.bind_host,
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": (
            settings.prefect_database_url or f"sqlite+aiosqlite:///{home / 'prefect.db'}"
        ),
        "PREFECT_SERVER_ENCRYPTION_KEY": _encryption_key(home / "encryption.key"),
        "ESTEIRA_ROOT": str(ROOT),
        # The work pool's command is `python -m prefect.engine`: it must be the Python that has our packages.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), given.get("PATH", os.defpath)]),
    }
    if not is_loopback(settings.bind_host):
        # The page asks its own origin: the address it is opened by is not known here.
        ours["PREFECT_SERVER_UI_API_URL"] = "/api"
    theirs = {name: given[name] for name in given if name.startswith("PREFECT_") and name not in _OURS}
    return {**ours, **theirs}


def apply(settings: Settings, *, port: int | None = None) -> None:
    """Put the Prefect settings into this process, before Prefect is imported: it reads them once, at import.

    Raises RuntimeError when Prefect has been imported already, and what `prefect_env` raises.
    """
    if "prefect" in sys.modules:
        raise RuntimeError("Prefect was imported before its settings were set: call prefect_env.apply before that")
    values = prefect_env(settings, port=port)
    for name in _OURS:
        os.environ.pop(name, None)
    os.environ.update(values)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens on the host."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def reachable(host: str) -> str:
    """The host by which this machine reaches what listens on `host`, as written in an address."""
    host = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 compared, not bound
    return f"[{host}]" if ":" in host else host


def _credential(settings: Settings, given: Mapping[str, str]) -> dict[str, str]:
    """The one credential of Prefect's API, for the server and for its clients."""
    names = ("PREFECT_SERVER_API_AUTH_STRING", "PREFECT_API_AUTH_STRING")
    named = [given[name] for name in names if given.get(name)]
    credential = settings.prefect_auth.get_secret_value() or next(iter(named), "")
    if not credential and not is_loopback(settings.bind_host):
        raise NotProtected(
            f"ESTEIRA_BIND_HOST is {settings.bind_host!r}, which others reach, and ESTEIRA_PREFECT_AUTH is empty: "
            "whoever opens Prefect's page could run anything. Set ESTEIRA_PREFECT_AUTH=user:password, or bind to "
            "127.0.0.1"
        )
    if credential and ":" not in credential:
        raise NotProtected("ESTEIRA_PREFECT_AUTH must be user:password; what is set holds no colon")
    return dict.fromkeys(names, credential) if credential else {}


def _encryption_key(path: Path) -> str:
    """The key of Prefect's secret blocks: without one of ours it would lie in the very database it protects."""
    if not path.exists():
        from cryptography.fernet import Fernet  # noqa: PLC0415 slow to import, and needed once in the life of a home

        draft = path.with_name(f"{path.name}.{os.getpid()}")
        descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(Fernet.generate_key())
        try:
            # Of two processes that start together one gives the file its name, whole; the other reads that one.
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().strip()
