"""The `magnetar` command up to the point at which it would start a service."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from magnetar_cli import bookie_serve, broker_service, cluster_command
from magnetar_cli.main import cli
from magnetar_metadata.cluster_metadata import InitReport

from bench.servers import ROOT

DEPLOY = ROOT / "deploy"
CONF = "/etc/magnetar/"


class DryRun:
    """Command lines of files in `deploy/`, read by the command itself."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
        self._caplog = caplog
        self._given: list[Any] = []
        monkeypatch.setattr(broker_service, "run_broker", self._serve)
        monkeypatch.setattr(bookie_serve, "run_bookie", self._serve)
        monkeypatch.setattr(cluster_command, "run_with_store", self._init)

    def _serve(self, settings: Any, _began_ns: int, _ready: Any) -> None:
        self._given.append(settings)

    def _init(self, url: Any, _work: Any, **_options: bool) -> InitReport:
        self._given.append(url)
        return InitReport("id")

    def __call__(self, arguments: Sequence[str], environment: Mapping[str, str]) -> Any:
        """What it would have started with; fails where it complains of anything."""
        here = [_at_home(each) for each in arguments]
        with self._caplog.at_level(logging.WARNING):
            result = CliRunner().invoke(cli, here, env=dict(environment))
        assert result.exit_code == 0, result.output
        assert "without effect" not in result.output + self._caplog.text
        [given] = self._given
        self._given.clear()
        return given


def _at_home(argument: str) -> str:
    """The sample in place of the file that is copied from it."""
    if not argument.startswith(CONF):
        return argument
    return str(Path(DEPLOY, "conf", argument.removeprefix(CONF)))
