"""The same command scripts on Apache Pulsar and on Magnetar give the replies in the script files.

`make test` plays them on Magnetar; `make interop` plays them on Apache Pulsar too, so that the
files stay true. `pending.txt` names scripts that need what is not built yet; each of them must
still differ.

Magnetar has one try. A script that differs on Apache Pulsar is played again by itself: there some
replies race with work that the broker does behind them, such as the removal of a reader's
subscription, and a loaded machine lets the other side win now and then.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.servers import Server
from tests.differential.player import differences, play_all
from tests.differential.record import by_settings, make_server
from tests.differential.script import DIRECTORY, Script, ScriptFile, all_files

FILES = all_files()
GROUPS = by_settings(FILES)
LEAST_SCRIPTS = 260
APACHE_TRIES = 4
COMPATIBILITY = Path(__file__).parents[2] / "docs" / "compatibility.md"


def _group_name(files: list[ScriptFile]) -> str:
    return "-".join(sorted(files[0].settings)) or "plain"


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(True, id="magnetar"),
        pytest.param(False, id="apache", marks=pytest.mark.interop),
    ],
)
def ours(request: pytest.FixtureRequest) -> bool:
    """Whether it is Magnetar's turn."""
    return bool(request.param)


@pytest.fixture(scope="module", params=GROUPS, ids=_group_name)
def group(request: pytest.FixtureRequest) -> list[ScriptFile]:
    """Files that share a broker."""
    files: list[ScriptFile] = request.param
    return files


@pytest.fixture(scope="module")
def server(
    group: list[ScriptFile], ours: bool, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A fresh broker with the settings of the group."""
    started = make_server(group, tmp_path_factory.mktemp("broker"), ours=ours)
    started.start()
    yield started
    started.kill()


def test_replies_are_those_of_the_scripts(
    group: list[ScriptFile], server: Server, ours: bool
) -> None:
    scripts = [script for each in group for script in each.scripts]
    found = _play(server, scripts, ours=ours)
    for number in range(1, 1 if ours else APACHE_TRIES):
        again = [
            script.renamed(f"{script.name}-try-{number}")
            for script in scripts
            if found[script.title]
        ]
        for script in again:
            found |= _play(server, [script], ours=False)
    pending = _pending() if ours else set()
    wrong = [line for title, lines in found.items() if title not in pending for line in lines]
    assert not wrong, "\n" + "\n".join(wrong)
    settled = [title for title, lines in found.items() if title in pending and not lines]
    assert not settled, f"no longer pending: {settled}"


def _play(server: Server, scripts: list[Script], *, ours: bool) -> dict[str, list[str]]:
    """What differs, by the title of the script."""
    came = asyncio.run(play_all(server, scripts, ours=ours))
    pairs = zip(scripts, came, strict=True)
    return {script.title: differences(script, replies, ours=ours) for script, replies in pairs}


def test_there_are_enough_scripts_and_each_has_a_title_of_its_own() -> None:
    titles = [script.title for each in FILES for script in each.scripts]
    assert len(set(titles)) == len(titles) >= LEAST_SCRIPTS


def test_reasons_for_differences_stand_in_the_documentation() -> None:
    reasons = {
        step.reason
        for each in FILES
        for script in each.scripts
        for step in script.steps
        if step.reason is not None
    }
    text = " ".join(COMPATIBILITY.read_text().split())
    assert [reason for reason in sorted(reasons) if reason not in text] == []


def test_pending_scripts_exist() -> None:
    assert _pending() <= {script.title for each in FILES for script in each.scripts}


def _pending() -> set[str]:
    lines = (DIRECTORY.parent / "pending.txt").read_text().splitlines()
    return {line for line in lines if line and not line.startswith("# ")}
