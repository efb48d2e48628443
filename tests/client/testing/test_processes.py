"""Processes never outlive their starter."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from magnetar.testing.processes import Process, kill_group, signal_kill, start_group

STARTER = """
import pathlib, sys, time
from magnetar.testing.processes import start_group
print(start_group(["sleep", "60"], pathlib.Path(sys.argv[1])).pid, flush=True)
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
    )
    assert starter.stdout is not None
    with starter.stdout:
        return starter, int(starter.stdout.readline())


def line_of(log: Path) -> str:
    deadline_s = time.monotonic() + 5
    while "\n" not in log.read_text():
        assert time.monotonic() < deadline_s, "it says nothing"
        time.sleep(0.005)
    return log.read_text().splitlines()[0]


def test_the_log_goes_on_and_the_environment_is_added_to(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("before\n")
    command = ["sh", "-c", 'echo "$ADDED" in "$PWD"; test -n "$PATH"']
    process = start_group(command, log, environment={"ADDED": "some"}, directory=tmp_path)
    assert process.wait(5) == 0
    assert log.read_text() == f"before\nsome in {tmp_path}\n"
    kill_group(process)


@pytest.mark.parametrize("kill", [kill_group, signal_kill])
def test_the_whole_group_is_killed(tmp_path: Path, kill: Callable[[Process], None]) -> None:
    log = tmp_path / "log"
    process = start_group(["sh", "-c", "sleep 60 & echo $!; wait"], log)
    child = int(line_of(log))
    kill(process)
    wait_until_gone(child)
    kill_group(process)
    assert process.returncode == -signal.SIGKILL


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
