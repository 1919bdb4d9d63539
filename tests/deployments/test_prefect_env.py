import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

from deployments.prefect_env import NotProtected, is_loopback, prefect_env, reachable
from hub.settings import Settings

NOT_SETTINGS_OF_PREFECT = {"DO_NOT_TRACK", "ESTEIRA_ROOT", "PATH", "PREFECT_SERVER_ENCRYPTION_KEY"}


def env(tmp_path: Path, surroundings: dict[str, str] | None = None, **values: object) -> dict[str, str]:
    return prefect_env(Settings(home=tmp_path, **values), surroundings=surroundings or {})  # type: ignore[arg-type]


def test_prefect_knows_every_name_and_takes_every_value(tmp_path: Path) -> None:
    """A name with a slip of the pen, or one that another version dropped, would be passed over in silence."""
    wanted = env(tmp_path, prefect_auth="ops:word", bind_host="0.0.0.0")
    script = (
        "import json; from prefect.settings import get_current_settings as s;"
        "print(json.dumps(s().to_environment_variables(exclude_unset=True, include_secrets=True)))"
    )
    done = subprocess.run([sys.executable, "-c", script], env=wanted, capture_output=True, text=True, check=True)
    understood = json.loads(done.stdout.splitlines()[-1])
    assert set(wanted) - NOT_SETTINGS_OF_PREFECT - set(understood) == set()
    assert understood["PREFECT_API_AUTH_STRING"] == "ops:word"
    assert understood["PREFECT_SERVER_EPHEMERAL_ENABLED"].lower() == "false"


def test_prefect_reads_the_encryption_key_under_this_name() -> None:
    from prefect.server.utilities import encryption

    assert "PREFECT_SERVER_ENCRYPTION_KEY" in inspect.getsource(encryption)


def test_everything_lies_under_the_home(tmp_path: Path) -> None:
    found = env(tmp_path)
    assert found["PREFECT_HOME"] == str(tmp_path / "prefect")
    assert found["PREFECT_SERVER_DATABASE_CONNECTION_URL"] == f"sqlite+aiosqlite:///{tmp_path}/prefect/prefect.db"
    assert found["PREFECT_API_URL"] == "http://127.0.0.1:4200/api"


def test_the_encryption_key_is_made_once_and_is_ours_alone(tmp_path: Path) -> None:
    key = env(tmp_path)["PREFECT_SERVER_ENCRYPTION_KEY"]
    assert env(tmp_path)["PREFECT_SERVER_ENCRYPTION_KEY"] == key
    assert env(tmp_path / "other")["PREFECT_SERVER_ENCRYPTION_KEY"] != key
    file = tmp_path / "prefect" / "encryption.key"
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["encryption.key"]


def test_what_the_operator_sets_wins_but_another_projects_prefect_does_not(tmp_path: Path) -> None:
    surroundings = {
        "PREFECT_WORKER_QUERY_SECONDS": "7",
        "PREFECT_LOGGING_LEVEL": "DEBUG",
        "PREFECT_API_URL": "https://elsewhere.invalid/api",
        "PREFECT_HOME": "/elsewhere",
        "PREFECT_API_KEY": "theirs",
    }
    found = env(tmp_path, surroundings)
    assert found["PREFECT_WORKER_QUERY_SECONDS"] == "7"
    assert found["PREFECT_LOGGING_LEVEL"] == "DEBUG"
    assert found["PREFECT_API_URL"] == "http://127.0.0.1:4200/api"
    assert found["PREFECT_HOME"] == str(tmp_path / "prefect")
    assert "PREFECT_API_KEY" not in found


def test_postgresql_for_prefect_is_one_setting(tmp_path: Path) -> None:
    url = "postgresql+asyncpg://prefect@127.0.0.1/prefect"
    assert env(tmp_path, prefect_database_url=url)["PREFECT_SERVER_DATABASE_CONNECTION_URL"] == url


def test_beyond_loopback_a_credential_is_demanded(tmp_path: Path) -> None:
    with pytest.raises(NotProtected, match="ESTEIRA_PREFECT_AUTH is empty"):
        env(tmp_path, bind_host="0.0.0.0")


def test_a_credential_goes_to_server_and_clients(tmp_path: Path) -> None:
    found = env(tmp_path, bind_host="0.0.0.0", prefect_auth="ops:word")
    assert found["PREFECT_SERVER_API_AUTH_STRING"] == found["PREFECT_API_AUTH_STRING"] == "ops:word"
    assert found["PREFECT_API_URL"] == "http://127.0.0.1:4200/api"
    assert found["PREFECT_SERVER_UI_API_URL"] == "/api"


def test_prefects_own_name_of_the_credential_does_as_well(tmp_path: Path) -> None:
    found = env(tmp_path, {"PREFECT_SERVER_API_AUTH_STRING": "ops:word"}, bind_host="192.168.1.5")
    assert found["PREFECT_API_AUTH_STRING"] == "ops:word"
    assert found["PREFECT_API_URL"] == "http://192.168.1.5:4200/api"


def test_a_credential_without_a_colon_is_refused_and_not_shown(tmp_path: Path) -> None:
    with pytest.raises(NotProtected) as caught:
        env(tmp_path, prefect_auth="onlyaword")
    assert "user:password" in str(caught.value)
    assert "onlyaword" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "loopback", "address"),
    [
        ("127.0.0.1", True, "127.0.0.1"),
        ("localhost", True, "localhost"),
        ("::1", True, "[::1]"),
        ("0.0.0.0", False, "127.0.0.1"),
        ("::", False, "[::1]"),
        ("10.0.0.7", False, "10.0.0.7"),
        ("shop.example", False, "shop.example"),
    ],
)
def test_hosts(host: str, loopback: bool, address: str) -> None:
    assert is_loopback(host) is loopback
    assert reachable(host) == address
