"""Options, files and environment as settings; mistakes as one line and exit code 2."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from magnetar_cli import serve
from magnetar_cli.standalone_command import command
from magnetar_runtime.errors import DirectoryLockedError
from magnetar_runtime.settings import StandaloneSettings

Started = list[tuple[StandaloneSettings, Path]]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    calls: Started = []

    def run(settings: StandaloneSettings, data_dir: Path, began_ns: int, ready: Any) -> None:
        calls.append((settings, data_dir))
        ready("ready", {"ready": True})

    monkeypatch.setattr(serve, "run_standalone", run)
    return calls


def invoke(*arguments: str, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(command, arguments, env=env)


def test_nothing_set_is_a_standalone_on_the_known_ports(started: Started) -> None:
    assert invoke().exit_code == 0
    settings, data_dir = started[0]
    assert (settings.broker_service_port, settings.web_service_port) == (6650, 8080)
    assert data_dir == Path("data")


def test_later_sources_win(started: Started, tmp_path: Path) -> None:
    file = tmp_path / "standalone.conf"
    file.write_text("clusterName=of-file\nmaxMessageSize=1000\nbrokerServicePort=1\n")
    result = invoke(
        *("--config", str(file), "--set", "maxMessageSize=3000", "--port", "7000"),
        env={"PULSAR_PREFIX_maxMessageSize": "2000", "clusterName": "of-environment"},
    )
    assert result.exit_code == 0, result.output
    settings, _ = started[0]
    assert settings.cluster_name == "of-environment"
    assert settings.max_message_bytes == 3000
    assert settings.broker_service_port == 7000


@pytest.mark.parametrize(
    "arguments",
    [
        ("--set", "no-equals-sign"),
        ("--set", "maxMessageSize=large"),
        ("--set", "allowAutoTopicCreationType=both"),
        ("--port", "70000"),
        ("--config", "there-is-no-such-file"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    started: Started, arguments: tuple[str, ...]
) -> None:
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    assert not started


def test_json_output_is_json(started: Started) -> None:
    assert invoke("-o", "json").output == '{"ready": true}\n'
    assert invoke("-o", "text").output == "ready\n"


def test_a_directory_in_use_is_exit_code_3(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: Any) -> None:
        raise DirectoryLockedError("data", "4711")

    monkeypatch.setattr(serve, "run_standalone", run)
    result = invoke()
    assert result.exit_code == 3
    assert "4711" in result.output


def test_turning_durability_off_says_so(started: Started) -> None:
    result = invoke("--set", "journalSyncData=false")
    assert "power cut loses acknowledged messages" in result.stderr
    assert "WARNING" not in invoke().stderr
