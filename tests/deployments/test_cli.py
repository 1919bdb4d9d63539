import os
import subprocess
import sys
from pathlib import Path

import pytest

from deployments import cli, ports
from hub.settings import settings
from hub.version import installed_version


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--version"]) == 0
    assert capsys.readouterr().out == f"esteira {installed_version()}\n"


def test_help_lists_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--help"]) == 0
    shown = capsys.readouterr().out
    assert "up" in shown
    assert "sandbox" in shown


def test_an_unknown_verb_is_no_success(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["frobnicate"]) == 2
    assert "frobnicate" in capsys.readouterr().err


def test_a_fault_is_one_line_on_stderr(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert cli.run(["sandbox", "--olist", str(tmp_path / "none")]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("esteira: --olist received ")
    assert captured.err.count("\n") == 1


def test_a_wrong_setting_is_named_with_what_was_received(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ESTEIRA_WEB_PORT", "eighty")
    settings.cache_clear()
    assert cli.run(["up"]) == 1
    error = capsys.readouterr().err
    assert "ESTEIRA_WEB_PORT received 'eighty'" in error
    assert "see .env.example" in error
    assert "Traceback" not in error


def test_beyond_loopback_without_a_credential_up_refuses(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ESTEIRA_BIND_HOST", "0.0.0.0")
    monkeypatch.setenv("ESTEIRA_HOME", str(tmp_path))
    for part in ("PREFECT", "WEB", "SANDBOX"):
        monkeypatch.setenv(f"ESTEIRA_{part}_PORT", str(ports.free("0.0.0.0")))
    settings.cache_clear()
    assert cli.run(["up"]) == 1
    assert "ESTEIRA_PREFECT_AUTH is empty" in capsys.readouterr().err


def test_the_dotenv_file_of_the_folder_is_read_first(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("ESTEIRA_SANDBOX_PORT=port-of-the-file\n")
    root = Path(cli.__file__).parent.parent
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), os.environ["PYTHONPATH"]])}
    env.pop("ESTEIRA_SANDBOX_PORT", None)
    done = subprocess.run(
        [sys.executable, "-m", "deployments.cli", "sandbox"],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "ESTEIRA_SANDBOX_PORT received 'port-of-the-file'" in done.stderr
