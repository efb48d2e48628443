"""What a process takes, as Prometheus names it."""

import os
import time
from pathlib import Path

import pytest
from magnetar_runtime.counters import Rows
from magnetar_runtime.process_usage import families

EVERYWHERE = {"process_cpu_seconds_total", "process_max_fds"}


def usage(proc: Path = Path("/proc")) -> dict[str, float]:
    found = {}
    for family in families({"cluster": "c"}, proc):
        assert not isinstance(family.samples, Rows)
        [sample] = family.samples
        assert sample.labels == {"cluster": "c"}
        assert isinstance(sample.value, int | float)
        found[family.name] = sample.value
    return found


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="Linux alone tells it")
def test_of_this_process() -> None:
    before = usage()
    with open(os.devnull):
        now = usage()
    assert now["process_open_fds"] == before["process_open_fds"] + 1
    assert 1 << 20 < now["process_resident_memory_bytes"] < now["process_virtual_memory_bytes"]
    assert 0 < now["process_cpu_seconds_total"] <= time.process_time() + 0.1
    assert now["process_max_fds"] > now["process_open_fds"]
    assert time.time() - 7 * 86_400 < now["process_start_time_seconds"] <= time.time() + 1


def test_of_a_system_without_these_files(tmp_path: Path) -> None:
    assert set(usage(tmp_path)) == EVERYWHERE
