"""docs/operations.md: the commands, metrics and keys that it names are there."""

import re
import shlex
from pathlib import Path

import click
import pytest
from magnetar_cli.main import cli
from magnetar_runtime.conf import keys_of
from magnetar_runtime.settings_bookie import BookieServiceSettings
from magnetar_runtime.settings_service import BrokerServiceSettings

from bench.servers import ROOT

TEXT = (ROOT / "docs" / "operations.md").read_text()
WORDS = sorted(set(re.findall(r"`([^`\n]+)`", TEXT)))
INDENTED = [line.strip() for line in TEXT.splitlines() if line.startswith("    magnetar ")]
COMMANDS = sorted(
    {line.partition("#")[0].strip() for line in INDENTED}
    | {word for word in WORDS if word.startswith("magnetar ")}
)
METRICS = [word for word in WORDS if re.fullmatch(r"(magnetar|pulsar|bookie|auditor)_\w+", word)]
METRICS += [word for word in WORDS if word.startswith("replication_worker_")]
KEYS = {row.key for kind in (BookieServiceSettings, BrokerServiceSettings) for row in keys_of(kind)}
PRODUCT = ("runtime", "storage", "ledger", "broker", "cli")


def test_there_is_something_to_check() -> None:
    assert (len(COMMANDS) > 8, len(METRICS) > 15) == (True, True)


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_is_there_with_its_options(line: str) -> None:
    words = shlex.split(line)[1:]
    command: click.Command = cli
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(click.Context(command), words.pop(0))
        assert found is not None, line
        command = found
    known = {option for each in command.params for option in each.opts}
    for word in words:
        assert not word.startswith("-") or word in known, word


def test_metrics_are_those_of_the_source() -> None:
    source = "".join(
        path.read_text() for folder in PRODUCT for path in Path(ROOT, folder).rglob("*.py")
    )
    assert [name for name in METRICS if f'"{name}"' not in source] == []


def test_keys_are_known() -> None:
    named = [word for word in WORDS if re.fullmatch(r"[a-z]+(_?[A-Z]\w+)+", word)]
    named = [word for word in named if word not in METRICS]
    assert len(named) > 5
    assert [key for key in named if key not in KEYS] == []


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)", TEXT):
        assert Path(ROOT, "docs", target).exists(), target
