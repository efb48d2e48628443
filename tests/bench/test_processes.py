"""Servers are found ready, stop when asked, and never outlive their starter."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.errors import ServerError
from bench.processes import ServerProcess
from bench.servers import ROOT

STARTER = """
import pathlib, sys, time
from bench.processes import ServerProcess
print(ServerProcess(["sleep", "60"], pathlib.Path(sys.argv[1])).pid, flush=True)
time.sleep({seconds})
"""


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"


def wait_until_gone(pid: int) -> None:
    deadline_s = time.monotonic() + 5
    while is_alive(pid):
        assert time.monotonic() < deadline_s, "still there"
        time.sleep(0.005)


def start_starter(log: Path, seconds: float) -> tuple["subprocess.Popen[str]", int]:
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER.format(seconds=seconds), str(log)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert starter.stdout is not None
    with starter.stdout:
        return starter, int(starter.stdout.readline())


def test_line_is_waited_for_and_stop_is_clean(tmp_path: Path) -> None:
    script = "echo it is ready; trap 'exit 7' TERM; sleep 60 & wait"
    process = ServerProcess(["sh", "-c", script], tmp_path / "log")
    assert process.wait_for_line("ready", 5) == "it is ready"
    assert process.terminate() == 7
    assert not process.alive


def test_early_end_is_an_error_with_the_output(tmp_path: Path) -> None:
    process = ServerProcess(["sh", "-c", "echo no way; exit 3"], tmp_path / "log")
    with pytest.raises(ServerError, match="exit 3:\nno way"):
        process.wait_for_line("ready", 5)
    process.kill()


def test_silence_is_an_error(tmp_path: Path) -> None:
    process = ServerProcess(["sleep", "60"], tmp_path / "log")
    with pytest.raises(ServerError, match="no 'ready'"):
        process.wait_for_line("ready", 0.01)
    process.kill()


def test_output_of_an_earlier_process_does_not_count(tmp_path: Path) -> None:
    ServerProcess(["sh", "-c", "echo ready"], tmp_path / "log").wait_for_line("ready", 5)
    process = ServerProcess(["sleep", "60"], tmp_path / "log")
    with pytest.raises(ServerError, match="no 'ready'"):
        process.wait_for_line("ready", 0.01)
    process.kill()


def test_kill_takes_the_whole_group(tmp_path: Path) -> None:
    process = ServerProcess(["sh", "-c", "sleep 60 & echo $!; wait"], tmp_path / "log")
    child = int(process.wait_for_line("", 5))
    process.kill()
    wait_until_gone(child)


def test_server_dies_when_its_starter_exits(tmp_path: Path) -> None:
    starter, pid = start_starter(tmp_path / "log", seconds=0)
    assert starter.wait() == 0
    wait_until_gone(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux signals the death of a parent")
def test_server_dies_when_its_starter_is_killed(tmp_path: Path) -> None:
    starter, pid = start_starter(tmp_path / "log", seconds=60)
    # Until it execs the server, the child has not tied itself to its parent yet.
    while Path(f"/proc/{pid}/comm").read_text() != "sleep\n":
        time.sleep(0.001)
    starter.send_signal(signal.SIGKILL)
    starter.wait()
    wait_until_gone(pid)
