"""The order of runs, fresh servers, and a failing extra column."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench import runner
from bench.errors import MeasurementError
from bench.row import Figure, Plan, Row
from bench.runner import RowRunner, half_rate
from bench.servers import NullServer, Server

ALL = {"null", "magnetar", "pulsar", "lite"}


class Named(NullServer):
    """A null server under the name of a system."""

    def __init__(self, name: str, directory: Path, settings: Mapping[str, str]) -> None:
        super().__init__(directory, settings)
        self.name = name

    def start(self, timeout_s: float = 5) -> float:
        return 0.0


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    for table, names in (("SYSTEMS", ["magnetar", "pulsar"]), ("ORIENTATION", ["lite"])):
        makers = {n: lambda d, s, n=n: Named(n, d, s) for n in names}
        monkeypatch.setattr(runner, table, makers)
    return []


def row_of(calls: list[tuple[str, str]], fails_on: str = "") -> Row:
    def measure(server: Server, plan: Plan) -> dict[str, Any]:
        calls.append((server.name, plan.phase))
        if server.name == fails_on:
            raise MeasurementError("twice")
        return {"x": 1.0, "began_s": 5.0}

    return Row("r", "row", (Figure("x", "u"),), measure, orientation=True)


def test_ours_and_theirs_in_turn_each_warmed(calls: list[tuple[str, str]], tmp_path: Path) -> None:
    plan = Plan(seconds=0, warm_seconds=1, directory=tmp_path)
    said: list[str] = []
    records = RowRunner(row_of(calls), plan, 2, ALL, said.append).run()
    systems = ["magnetar", "pulsar", "magnetar", "pulsar", "lite"]
    assert calls == [(name, phase) for name in systems for phase in ("warm", "run")]
    assert [(r["pair"], r["system"]) for r in records] == list(
        zip([0, 0, 1, 1, 0], systems, strict=True)
    )
    assert records[0]["figures"] == {"x": 1.0}
    assert said[0] == "r magnetar 1: x 1.0"


def test_a_failing_extra_column_is_left_out(calls: list[tuple[str, str]], tmp_path: Path) -> None:
    plan = Plan(seconds=0, warm_seconds=0, directory=tmp_path)
    said: list[str] = []
    records = RowRunner(row_of(calls, "lite"), plan, 1, ALL, said.append).run()
    assert [r["system"] for r in records] == ["magnetar", "pulsar"]
    assert said[-1] == "r lite: failed, twice"


def test_a_failing_system_ends_the_run(calls: list[tuple[str, str]], tmp_path: Path) -> None:
    plan = Plan(seconds=0, warm_seconds=0, directory=tmp_path)
    with pytest.raises(MeasurementError):
        RowRunner(row_of(calls, "pulsar"), plan, 1, ALL, lambda _: None).run()


def test_a_row_may_have_systems_of_its_own(calls: list[tuple[str, str]], tmp_path: Path) -> None:
    row = replace(row_of(calls), orientation=False)
    row = replace(row, systems={"magnetar": lambda d, s: Named("bookies", d, s)})
    plan = Plan(seconds=0, warm_seconds=0, directory=tmp_path)
    (record,) = RowRunner(row, plan, 1, ALL, lambda _: None).run()
    assert record["system"] == "magnetar"
    assert calls == [("bookies", "run")]


def test_half_of_the_slower_one() -> None:
    def runs(system: str, *rates: float) -> list[dict[str, Any]]:
        return [{"system": system, "figures": {"entries_per_s": rate}} for rate in rates]

    slow, fast = runs("magnetar", 10, 30, 20), runs("pulsar", 50, 70)
    assert half_rate([*slow, *fast, *runs("null", 1)]) == 10
    with pytest.raises(MeasurementError, match="measured before"):
        half_rate(slow)
