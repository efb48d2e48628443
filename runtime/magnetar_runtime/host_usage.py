"""What a machine has to do: its processors, this process's memory, its network interfaces.

Linux tells it in files; where those are not, processors are judged by the load average and the rest
is unknown. The files are small and made by the kernel when they are read: nothing waits for a disk.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from magnetar_runtime.clock import Clock

_PERCENT: Final = 100.0
_KIB_PER_MIB: Final = 1024
_IDLE_FIELDS: Final = (3, 4)  # of a line of /proc/stat: idle, and waiting for a disk


@dataclass(frozen=True, slots=True, kw_only=True)
class HostUsage:
    """A limit of 0 is not known.

    Attributes:
        cpu_percent, cpu_limit_percent: 100 for each processor.
        memory_mib, memory_limit_mib: What this process has in memory, of what the machine has.
        in_kbits, out_kbits, network_limit_kbits: Per second, over all interfaces to other machines.
    """

    cpu_percent: float = 0.0
    cpu_limit_percent: float = 0.0
    memory_mib: float = 0.0
    memory_limit_mib: float = 0.0
    in_kbits: float = 0.0
    out_kbits: float = 0.0
    network_limit_kbits: float = 0.0


class HostMeter:
    """Measures between two looks.

    Args:
        root: where `/proc` and `/sys` are.
        interface_mbits: what each interface can do, whatever the system says of it.
    """

    def __init__(
        self, clock: Clock, root: Path = Path("/"), interface_mbits: float | None = None
    ) -> None:
        self._clock = clock
        self._proc = root / "proc"
        self._network = _network_file(self._proc, root)
        self._interfaces, speed_mbits = _interfaces(root / "sys/class/net", interface_mbits)
        self._network_limit_kbits = speed_mbits * 1000
        self._looked_ns = clock.monotonic_ns()
        self._cpu = self._cpu_ticks()
        self._bytes = self._network_bytes()

    def look(self) -> HostUsage:
        """What was done since the last look, and how things are now."""
        now_ns = self._clock.monotonic_ns()
        seconds = (now_ns - self._looked_ns) / 1e9
        cpu, bytes_now = self._cpu_ticks(), self._network_bytes()
        moved = [new - old for new, old in zip(bytes_now, self._bytes, strict=True)]
        in_kbits, out_kbits = (each * 8 / 1000 / seconds if seconds > 0 else 0.0 for each in moved)
        limit = _PERCENT * (os.cpu_count() or 1)
        used = cpu_share(self._cpu, cpu)
        self._cpu, self._bytes, self._looked_ns = cpu, bytes_now, now_ns
        return HostUsage(
            cpu_percent=limit * (_load_share() if used is None else used),
            cpu_limit_percent=limit,
            memory_mib=self._kib("self/status", "VmRSS") / _KIB_PER_MIB,
            memory_limit_mib=self._kib("meminfo", "MemTotal") / _KIB_PER_MIB,
            in_kbits=max(0.0, in_kbits),
            out_kbits=max(0.0, out_kbits),
            network_limit_kbits=self._network_limit_kbits,
        )

    def _cpu_ticks(self) -> tuple[int, int]:
        return parse_cpu(_text(self._proc / "stat"))

    def _network_bytes(self) -> tuple[int, int]:
        return parse_network(_text(self._network), self._interfaces)

    def _kib(self, name: str, field: str) -> int:
        return parse_kib(_text(self._proc / name), field)


def cpu_share(before: tuple[int, int], now: tuple[int, int]) -> float | None:
    """The busy part of the time between two looks, 0 to 1; None if that is not known.

    Args:
        before, now: (busy, all) ticks since the machine began.
    """
    busy, all_ = now[0] - before[0], now[1] - before[1]
    return min(max(busy / all_, 0.0), 1.0) if all_ > 0 else None


def parse_cpu(text: str) -> tuple[int, int]:
    """(busy, all) ticks of all processors from `/proc/stat`; zeros if it says nothing."""
    for line in text.splitlines():
        name, *fields = line.split()
        if name == "cpu":
            ticks = [int(field) for field in fields[:8]]  # guests are in the first two
            idle = sum(ticks[index] for index in _IDLE_FIELDS if index < len(ticks))
            return sum(ticks) - idle, sum(ticks)
    return 0, 0


def parse_network(text: str, interfaces: Iterable[str]) -> tuple[int, int]:
    """Bytes that these interfaces took in and sent out, from `/proc/net/dev`."""
    wanted, received, sent = set(interfaces), 0, 0
    for line in text.splitlines():
        name, colon, rest = line.partition(":")
        fields = rest.split()
        if colon and name.strip() in wanted and len(fields) >= 9:
            received += int(fields[0])
            sent += int(fields[8])
    return received, sent


def parse_kib(text: str, field: str) -> int:
    """A field `Name:  123 kB`; 0 if it is not there."""
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        if name == field:
            return int(rest.split()[0])
    return 0


def _interfaces(directory: Path, each_mbits: float | None) -> tuple[list[str], float]:
    """Those with hardware behind them, and what all of them can do in Mbit/s; 0 if one is silent.

    Loopback and bridges count the same bytes again.
    """
    try:
        names = sorted(each.name for each in directory.iterdir() if (each / "device").exists())
    except OSError:
        return [], 0.0
    if each_mbits is not None:
        return names, each_mbits * len(names)
    speeds = [_text(directory / name / "speed").strip() for name in names]
    known = [int(speed) for speed in speeds if speed.isdigit()]
    return names, float(sum(known)) if len(known) == len(names) else 0.0


def _network_file(proc: Path, root: Path) -> Path:
    """Of the host, where it is mounted in a container: `net` is the reader's own in any proc."""
    of_first = proc / "1/net/dev"
    return of_first if root != Path("/") and _text(of_first) else proc / "net/dev"


def _load_share() -> float:
    return min(os.getloadavg()[0] / (os.cpu_count() or 1), 1.0)


def _text(path: Path) -> str:
    """What a file says; nothing if it is not there, or its interface is down."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
