"""Ports that two test processes never share."""

import socket
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bench import ports
from bench.errors import ServerError
from bench.servers import ROOT

DRAW = "from bench.ports import free_port\nprint(*(free_port() for _ in range(20)))"


@pytest.fixture
def own_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return ports._turn_file()


def draw_in_another_process(_: int) -> list[str]:
    command = [sys.executable, "-c", DRAW]
    return subprocess.run(
        command, check=True, capture_output=True, text=True, cwd=ROOT
    ).stdout.split()


def test_processes_never_draw_the_same() -> None:
    with ThreadPoolExecutor(3) as pool:
        drawn = [port for each in pool.map(draw_in_another_process, range(3)) for port in each]
    assert len(drawn) == len(set(drawn)) == 60


def test_none_is_one_that_the_kernel_hands_out() -> None:
    first, last = ports._kernels_range()
    assert not first <= ports.free_port() <= last


def test_a_port_in_use_is_passed_over(own_turns: Path) -> None:
    first = ports.free_port()
    with socket.create_server((ports.HOST, first + 1)):
        assert ports.free_port() > first + 1


def test_after_the_last_port_comes_the_first(
    own_turns: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawable = range(ports.free_port(), ports.free_port() + 1)
    monkeypatch.setattr(ports, "usable", lambda first, last: drawable)
    assert [ports.free_port() for _ in range(3)] == [drawable[0], drawable[-1], drawable[0]]


def test_when_none_is_left(own_turns: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_is_free", lambda port: False)
    with pytest.raises(ServerError, match="no port"):
        ports.free_port()


@pytest.mark.parametrize(
    ("kernels", "expected"),
    [
        ((32_768, 60_999), range(20_000, 32_768)),
        ((15_000, 40_000), range(40_001, 65_536)),
        ((1_024, 9_999), range(20_000, 65_536)),
        ((1_024, 65_535), range(20_000, 65_536)),
    ],
)
def test_what_is_left_by_the_kernel(kernels: tuple[int, int], expected: range) -> None:
    assert ports.usable(*kernels) == expected


def test_another_system_without_the_kernels_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports, "_KERNELS", tmp_path / "missing")
    assert ports.usable(*ports._kernels_range()) == range(20_000, 49_152)
