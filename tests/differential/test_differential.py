"""The same command scripts on Apache Pulsar and on Magnetar give the replies in the script files.

`make test` plays them on Magnetar; `make interop` plays them on Apache Pulsar too, so that the
files stay true. `pending.txt` names scripts that need what is not built yet; each of them must
still differ.

Magnetar has one try. Scripts that differ on Apache Pulsar are played again, one after the other on
a broker of their own: there some replies race with work that the broker does behind them, such as
the removal of a reader's subscription, and a loaded machine lets the other side win now and then.
Their topics keep their names, on which hashes and the choice of an active consumer depend.
"""

import asyncio
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.differential.player import differences, play_all
from tests.differential.record import by_settings, make_server
from tests.differential.script import DIRECTORY, Script, ScriptFile, all_files

FILES = all_files()
GROUPS = by_settings(FILES)
LEAST_SCRIPTS = 260
APACHE_TRIES = 4
MOST_AGAIN = 20
"""Where more scripts differ, it is not by chance."""
Differences = dict[str, list[str]]
"""By the title of a script."""
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


def test_replies_are_those_of_the_scripts(
    group: list[ScriptFile], ours: bool, tmp_path: Path
) -> None:
    scripts = [script for each in group for script in each.scripts]
    brokers = itertools.count()

    def play(some: Sequence[Script], *, alone: bool) -> Differences:
        directory = tmp_path / str(next(brokers))
        directory.mkdir()
        return _play_on_new_broker(group, some, directory, ours=ours, alone=alone)

    found = _in_tries(scripts, play, 1 if ours else APACHE_TRIES)
    pending = _pending() if ours else set()
    wrong = [line for title, lines in found.items() if title not in pending for line in lines]
    assert not wrong, "\n" + "\n".join(wrong)
    settled = [title for title, lines in found.items() if title in pending and not lines]
    assert not settled, f"no longer pending: {settled}"


def _in_tries(
    scripts: Sequence[Script], play: Callable[..., Differences], most: int
) -> Differences:
    """What differs in the last try of each script."""
    found = play(scripts, alone=False)
    for _ in range(most - 1):
        again = [script for script in scripts if found[script.title]]
        if not 0 < len(again) <= MOST_AGAIN:
            break
        found |= play(again, alone=True)
    return found


def _play_on_new_broker(
    group: list[ScriptFile], scripts: Sequence[Script], directory: Path, *, ours: bool, alone: bool
) -> Differences:
    server = make_server(group, directory, ours=ours)
    server.start()
    try:
        found: Differences = {}
        for some in [[each] for each in scripts] if alone else [scripts]:
            came = asyncio.run(play_all(server, some, ours=ours))
            for script, replies in zip(some, came, strict=True):
                found[script.title] = differences(script, replies, ours=ours)
        return found
    finally:
        server.kill()


@pytest.mark.parametrize(("wrong_times", "tries", "right"), [(3, 4, True), (4, 4, False)])
def test_what_differs_by_chance_has_more_tries(wrong_times: int, tries: int, right: bool) -> None:
    racing, steady = Script("racing", "r"), Script("steady", "s")
    played: list[str] = []

    def play(some: Sequence[Script], *, alone: bool) -> Differences:
        played.extend(script.title for script in some)
        assert alone == (played.count("racing") > 1)
        return {
            script.title: ["differs"] * (played.count("racing") <= wrong_times and script is racing)
            for script in some
        }

    found = _in_tries([racing, steady], play, tries)
    assert (not found["racing"], found["steady"]) == (right, [])
    assert (played.count("racing"), played.count("steady")) == (tries, 1)


def test_what_differs_in_many_scripts_is_no_chance() -> None:
    scripts = [Script(str(number), str(number)) for number in range(MOST_AGAIN + 1)]
    plays = []

    def play(some: Sequence[Script], *, alone: bool) -> Differences:
        plays.append(alone)
        return {script.title: ["differs"] for script in some}

    _in_tries(scripts, play, APACHE_TRIES)
    assert plays == [False]


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
