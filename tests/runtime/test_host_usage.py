"""What Linux's files say of a machine's work, and what is told where they are not."""

from pathlib import Path

import pytest
from magnetar_runtime.host_usage import HostMeter, HostUsage, cpu_share, parse_cpu, parse_network

STAT = "cpu  100 0 50 800 50 0 0 0 7 0\ncpu0 100 0 50 800 50 0 0 0 7 0\nintr 1\n"
LATER = "cpu  130 0 60 860 50 0 0 0 9 0\n"
DEV = (
    "Inter-|   Receive                            |  Transmit\n"
    " face |bytes    packets errs drop fifo frame compressed multicast|bytes\n"
    "    lo: 9999 1 0 0 0 0 0 0 9999 1 0 0 0 0 0 0\n"
    "  eth0:1000 1 0 0 0 0 0 0 500 1 0 0 0 0 0 0\n"
)


class Clock:
    now_ns = 5_000_000_000

    def monotonic_ns(self) -> int:
        return self.now_ns

    def wall_ms(self) -> int:
        return 0


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in {
        "proc/stat": STAT,
        "proc/meminfo": "MemTotal:  2048 kB\nMemFree: 1 kB\n",
        "proc/self/status": "Name:\tx\nVmRSS:\t 1024 kB\n",
        "proc/net/dev": DEV,
        "sys/class/net/eth0/speed": "1000\n",
        "sys/class/net/eth0/device/vendor": "x",
        "sys/class/net/lo/speed": "",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_between_two_looks(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    clock = Clock()
    meter = HostMeter(clock, root)
    (root / "proc/stat").write_text(LATER)
    (root / "proc/net/dev").write_text(DEV.replace("1000 1", "251000 1").replace(" 500 ", " 1500 "))
    clock.now_ns += 2_000_000_000
    assert meter.look() == HostUsage(
        cpu_percent=160.0,  # 40 of 100 ticks, of four processors
        cpu_limit_percent=400.0,
        memory_mib=1.0,
        memory_limit_mib=2.0,
        in_kbits=1000.0,
        out_kbits=4.0,
        network_limit_kbits=1_000_000.0,
    )


def test_the_interfaces_of_a_host_are_those_of_its_first_process(root: Path) -> None:
    """`/proc/net` is a link to `self/net`: a container sees its own there, of any mounted proc."""
    first = root / "proc/1/net/dev"
    first.parent.mkdir(parents=True)
    first.write_text(DEV)
    clock = Clock()
    meter = HostMeter(clock, root)
    (root / "proc/net/dev").write_text(DEV.replace("1000 1", "777000 1"))
    first.write_text(DEV.replace("1000 1", "126000 1"))
    clock.now_ns += 1_000_000_000
    assert meter.look().in_kbits == 1000.0


def test_an_interface_is_as_quick_as_is_configured(root: Path) -> None:
    assert HostMeter(Clock(), root, 25_000.0).look().network_limit_kbits == 25e6


@pytest.mark.parametrize("speed", ["-1", "", "what"])
def test_an_interface_that_says_nothing_has_no_limit(root: Path, speed: str) -> None:
    (root / "sys/class/net/eth0/speed").write_text(speed)
    assert HostMeter(Clock(), root).look().network_limit_kbits == 0.0


def test_without_the_files_of_linux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    monkeypatch.setattr("os.getloadavg", lambda: (1.0, 9.0, 9.0))
    usage = HostMeter(Clock(), tmp_path).look()
    assert usage == HostUsage(cpu_percent=100.0, cpu_limit_percent=200.0)


def test_the_real_machine() -> None:
    clock = Clock()
    meter = HostMeter(clock)
    clock.now_ns += 1_000_000
    usage = meter.look()
    assert 0 <= usage.cpu_percent <= usage.cpu_limit_percent
    assert usage.in_kbits >= 0


def test_ticks_that_do_not_move_say_nothing() -> None:
    assert cpu_share((5, 10), (5, 10)) is None
    assert cpu_share((5, 10), (4, 20)) == 0.0
    assert parse_cpu("") == (0, 0)
    assert parse_network(DEV, ()) == (0, 0)
