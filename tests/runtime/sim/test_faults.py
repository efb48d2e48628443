"""Faults strike the steps that were planned, so often."""

from magnetar_runtime.sim.faults import Fault


def test_a_fault_strikes_when_planned() -> None:
    fault = Fault("sync", "journal", skip=1, times=2)
    assert not fault.strikes("write", "d/journal")
    assert not fault.strikes("sync", "d/log")
    struck = [fault.strikes("sync", "d/journal/1") for _ in range(5)]
    assert struck == [False, True, True, False, False]
