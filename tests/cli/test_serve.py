"""The process: readiness line, a clean end on signals, one process per directory."""

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from magnetar_cli.serve import _cannot_start, _not_clean, _stopped
from magnetar_metadata.errors import SessionExpiredError, StoreFileError
from magnetar_runtime.disk import DiskError
from magnetar_storage.errors import ConfigError, DirectoryError, IndexFailedError, OutOfUseError


class Process:
    """`magnetar standalone` on free ports."""

    def __init__(self, data_dir: Path, *arguments: str) -> None:
        self.popen = subprocess.Popen(
            [
                *(sys.executable, "-m", "magnetar_cli", "standalone", "--data-dir", str(data_dir)),
                *("--port", "0", "--http-port", "0", "-o", "json", *arguments),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ready(self) -> dict[str, Any]:
        assert self.popen.stdout is not None
        line = self.popen.stdout.readline()
        assert line, self.popen.communicate()[1]
        facts: dict[str, Any] = json.loads(line)
        return facts

    def end(self, number: int) -> tuple[int, str]:
        self.popen.send_signal(number)
        _, errors = self.popen.communicate(timeout=20)
        return self.popen.returncode, errors


@pytest.fixture
def started() -> Iterator[list[Process]]:
    processes: list[Process] = []
    yield processes
    for process in processes:
        if process.popen.poll() is None:
            process.popen.kill()
        process.popen.communicate()


def test_it_says_where_it_listens_and_ends_cleanly(tmp_path: Path, started: list[Process]) -> None:
    process = Process(tmp_path / "data")
    started.append(process)
    facts = process.ready()
    assert facts["ready"] is True
    for url in facts["urls"]:
        with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=5):
            pass
    assert {address.rpartition(":")[0] for address in facts["listening"]} <= {"127.0.0.1", "[::1]"}
    assert process.end(signal.SIGTERM) == (0, "")


def test_sigint_ends_it_like_sigterm(tmp_path: Path, started: list[Process]) -> None:
    process = Process(tmp_path / "data")
    started.append(process)
    process.ready()
    assert process.end(signal.SIGINT) == (0, "")


SCRIPT = """
import asyncio, sys, time
from contextlib import asynccontextmanager
from magnetar_cli import serve

@asynccontextmanager
async def opening(failed, before_serving):
    print("opening", flush=True)
    if where == "start":
        await asyncio.Event().wait()
    if where == "stuck":
        asyncio.get_running_loop().call_later(0.2, stick)
    yield serve.Serving(["x:1"], ["x:1"], {})
    print("closing", flush=True)
    if where == "end":
        await asyncio.Event().wait()
    await asyncio.sleep(0.2)

def stick():
    print("stuck", flush=True)
    time.sleep(60)

where, serve.SECOND_SIGNAL_AFTER_MS = sys.argv[1], int(sys.argv[2])
serve.run_service("x", opening, 0, lambda line, facts: print("ready", flush=True))
"""


class Slow:
    """A service that waits at some place, for ever or a while."""

    def __init__(self, place: str, *, second_signal_after_ms: int) -> None:
        self.popen = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, place, str(second_signal_after_ms)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ,
        )

    def until(self, line: str) -> None:
        assert self.popen.stdout is not None
        while (found := self.popen.stdout.readline().strip()) != line:
            assert found, self.popen.communicate()[1]

    def end(self) -> int:
        assert self.popen.communicate(timeout=20)[1] == ""
        return self.popen.returncode


@pytest.fixture
def slow() -> Iterator[Callable[[str, int], Slow]]:
    services: list[Slow] = []

    def start(place: str, second_signal_after_ms: int) -> Slow:
        services.append(Slow(place, second_signal_after_ms=second_signal_after_ms))
        return services[-1]

    yield start
    for service in services:
        service.popen.kill()
        service.popen.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_start_that_waits_ends_cleanly_at_a_signal(
    slow: Callable[[str, int], Slow], number: int
) -> None:
    service = slow("start", 60_000)
    service.until("opening")
    service.popen.send_signal(number)
    assert service.end() == 0


def test_a_signal_that_comes_twice_at_once_is_one(slow: Callable[[str, int], Slow]) -> None:
    service = slow("nowhere", 60_000)
    service.until("ready")
    service.popen.send_signal(signal.SIGTERM)
    service.until("closing")
    service.popen.send_signal(signal.SIGINT)
    assert service.end() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_at_once_what_does_not_end(
    slow: Callable[[str, int], Slow], number: int
) -> None:
    service = slow("end", 0)
    service.until("ready")
    service.popen.send_signal(number)
    service.until("closing")
    for _ in range(100):  # the first may have been told a moment ago
        service.popen.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            service.popen.wait(0.1)
            break
    assert service.popen.poll() == -number


class Systemd:
    """Its socket, named in the environment of what is started next."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(directory / "notify"))
        self.socket.settimeout(20)
        monkeypatch.setenv("NOTIFY_SOCKET", str(directory / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "90000")

    def hears(self) -> str:
        return self.socket.recv(4096).decode()

    def waiting(self) -> list[str]:
        self.socket.setblocking(False)
        messages = []
        with suppress(BlockingIOError):
            while True:
                messages.append(self.hears())
        self.socket.settimeout(20)
        return messages


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Systemd]:
    made = Systemd(tmp_path, monkeypatch)
    yield made
    made.socket.close()


def test_systemd_hears_of_start_life_and_end(
    systemd: Systemd, slow: Callable[[str, int], Slow]
) -> None:
    service = slow("nowhere", 60_000)
    assert systemd.hears().startswith("READY=1\nSTATUS=magnetar x ready in ")
    assert [systemd.hears() for _ in range(3)] == ["WATCHDOG=1"] * 3
    service.popen.send_signal(signal.SIGTERM)
    assert service.end() == 0
    heard = [message for message in systemd.waiting() if message != "WATCHDOG=1"]
    assert heard == ["STOPPING=1"]


def test_systemd_sees_a_loop_that_is_stuck(
    systemd: Systemd, slow: Callable[[str, int], Slow]
) -> None:
    service = slow("stuck", 60_000)
    service.until("stuck")
    assert "WATCHDOG=1" in systemd.waiting()
    time.sleep(0.5)
    assert systemd.waiting() == []


def test_a_second_process_on_the_directory_is_refused(
    tmp_path: Path, started: list[Process]
) -> None:
    first = Process(tmp_path / "data")
    started.append(first)
    pid = first.ready()["pid"]
    second = Process(tmp_path / "data")
    started.append(second)
    _, errors = second.popen.communicate(timeout=20)
    assert second.popen.returncode == 3
    assert str(pid) in errors
    assert "Traceback" not in errors
    assert first.popen.poll() is None


def test_a_port_in_use_is_one_line(tmp_path: Path, started: list[Process]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = Process(tmp_path / "data", "--port", str(taken.getsockname()[1]))
        started.append(process)
        _, errors = process.popen.communicate(timeout=20)
    assert process.popen.returncode == 1
    assert len(errors.strip().splitlines()) == 1
    assert "in use" in errors


@pytest.mark.parametrize(
    ("error", "code"),
    [
        pytest.param(ConfigError("x"), 2, id="settings"),
        pytest.param(IndexFailedError("no space"), 4, id="index"),
        pytest.param(OSError(errno.ENOSPC, "x"), 4, id="full disk"),
        pytest.param(OutOfUseError("x"), 4, id="disk while replaying"),
        pytest.param(DirectoryError("x"), 1, id="directories"),
        pytest.param(OSError(errno.EADDRINUSE, "x"), 1, id="port in use"),
        pytest.param(OSError(errno.EACCES, "x"), 1, id="permissions"),
    ],
)
def test_a_start_that_fails_has_its_code(error: Exception, code: int) -> None:
    assert _cannot_start(error).exit_code == code


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        pytest.param(OutOfUseError("x"), 4, id="bookie"),
        pytest.param(StoreFileError("metadata.sqlite", "x"), 4, id="metadata"),
        pytest.param(DiskError(errno.ENOENT, "x", "y"), 4, id="a file went away"),
        pytest.param(OSError(errno.EIO, "x"), 4, id="a look at the disk"),
        pytest.param(ConnectionResetError(errno.ECONNRESET, "x"), 1, id="network"),
        pytest.param(SessionExpiredError("/x"), 1, id="session"),
        pytest.param(KeyError("x"), 1, id="bug"),
    ],
)
def test_only_a_failed_disk_stops_it_with_4(failure: Exception, code: int) -> None:
    error = _stopped(failure)
    assert error.exit_code == code
    assert ("the disk failed" in str(error)) == (code == 4)


def test_an_end_that_is_not_clean_is_not_called_a_start() -> None:
    error = _not_clean(OSError(errno.EIO, "x"))
    assert (error.exit_code, "start" in str(error)) == (4, False)
    assert _not_clean(SessionExpiredError("/x")).exit_code == 1
