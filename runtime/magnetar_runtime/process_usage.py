"""What this process takes of the machine, under the names that all clients of Prometheus use."""

import os
import resource
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from magnetar_runtime.counters import Family, Kind, Sample

_PAGES: Final = ("process_virtual_memory_bytes", "process_resident_memory_bytes")
_START_FIELD: Final = 19  # of /proc/self/stat, behind the name and its bracket


def families(labels: Mapping[str, str], proc: Path = Path("/proc")) -> Iterator[Family]:
    """Linux tells all of it; elsewhere there is the processor's time and the limit of files."""
    times = os.times()
    yield Family(
        "process_cpu_seconds_total",
        Kind.COUNTER,
        "Processor time of this process.",
        [Sample(labels, times.user + times.system)],
    )
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    gauges: dict[str, int | float] = {"process_max_fds": limit}
    with suppress(OSError):  # there are no such files
        gauges |= _of_linux(proc)
    for name, value in gauges.items():
        text = f"{name.removeprefix('process_').replace('_', ' ').capitalize()} of this process."
        yield Family(name, Kind.GAUGE, text, [Sample(labels, value)])


def _of_linux(proc: Path) -> dict[str, int | float]:
    page_bytes = os.sysconf("SC_PAGE_SIZE")
    pages = (proc / "self/statm").read_text().split()[: len(_PAGES)]
    found: dict[str, int | float] = {
        name: int(count) * page_bytes for name, count in zip(_PAGES, pages, strict=True)
    }
    found["process_open_fds"] = len(os.listdir(proc / "self/fd"))
    fields = (proc / "self/stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[_START_FIELD])
    for line in (proc / "stat").read_text().splitlines():
        if line.startswith("btime "):
            boot_s = int(line.split()[1])
            found["process_start_time_seconds"] = boot_s + ticks / os.sysconf("SC_CLK_TCK")
    return found
