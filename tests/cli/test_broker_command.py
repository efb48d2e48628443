"""`magnetar broker`: mistakes end with 2 and a line."""

from typing import Any

import pytest
from click.testing import CliRunner
from magnetar_cli import broker_service
from magnetar_cli.broker_command import command
from magnetar_runtime.settings_service import BrokerServiceSettings

NEEDED = ("--set", "clusterName=c", "--set", "metadataStoreUrl=zk:host:2181")


def test_keys_reach_the_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[BrokerServiceSettings] = []

    def run(settings: BrokerServiceSettings, _began_ns: int, ready: Any) -> None:
        given.append(settings)
        ready("ready", {"ready": True})

    monkeypatch.setattr(broker_service, "run_broker", run)
    result = CliRunner().invoke(command, [*NEEDED, "-o", "json"])
    assert (result.exit_code, result.output) == (0, '{"ready": true}\n')
    assert given[0].metadata_url == "zk:host:2181"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((), "clusterName"),
        (("--set", "clusterName=c"), "metadataStoreUrl"),
        ((*NEEDED, "--set", "brokerServicePort=x"), "brokerServicePort"),
    ],
)
def test_mistakes(arguments: tuple[str, ...], text: str) -> None:
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 2
    assert text in result.output
    assert "Traceback" not in result.output
