"""A bug that is reported is in the log, and ends a simulation."""

import pytest
from magnetar_runtime import sim
from magnetar_runtime.bugs import report_bug


async def test_it_is_logged_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    report_bug("topic t is not trimmed", ValueError("no such thing"))
    (record,) = caplog.records
    assert record.getMessage() == "topic t is not trimmed"
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "no such thing"


def test_a_simulation_ends_there() -> None:
    async def main(_world: sim.Simulation) -> None:
        report_bug("topic t is not trimmed", ValueError("no such thing"))

    with pytest.raises(ValueError, match="no such thing"):
        sim.run(main, seed=1)
