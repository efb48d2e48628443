"""What systemd hears, on a real datagram socket."""

import logging
import os
import secrets
import socket
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from magnetar_runtime.service_manager import (
    ServiceManager,
    environment_of_children,
    manager_of_this_process,
)


class Systemd:
    """The socket on which it listens."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self._socket.setblocking(False)

    def heard(self) -> list[str]:
        messages: list[str] = []
        try:
            while True:
                messages.append(self._socket.recv(4096).decode())
        except BlockingIOError:
            return messages

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    made = Systemd(str(tmp_path / "notify"))
    yield made
    made.close()


def test_it_hears_of_readiness_and_the_end(systemd: Systemd) -> None:
    manager = ServiceManager.of({"NOTIFY_SOCKET": systemd.address}, os.getpid())
    manager.ready("serves x")
    manager.stopping()
    manager.close()
    manager.stopping()
    assert systemd.heard() == ["READY=1\nSTATUS=serves x", "STOPPING=1"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has abstract names")
def test_an_abstract_address() -> None:
    systemd = Systemd(f"@magnetar-{secrets.token_hex(8)}")
    manager = ServiceManager(systemd.address, 0)
    manager.ready("x")
    manager.close()
    assert systemd.heard() == ["READY=1\nSTATUS=x"]
    systemd.close()


class Timer:
    def __init__(self, delay_s: float, callback: Callable[..., None], *arguments: object) -> None:
        self.delay_s = delay_s
        self.run = partial(callback, *arguments)
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Loop:
    """Timers that the test runs."""

    def __init__(self) -> None:
        self.timers: list[Timer] = []

    def call_later(self, *arguments: Any) -> Timer:
        self.timers.append(Timer(*arguments))
        return self.timers[-1]


def test_the_loop_says_that_it_turns(systemd: Systemd) -> None:
    environment = {
        "NOTIFY_SOCKET": systemd.address,
        "WATCHDOG_USEC": "30000000",
        "WATCHDOG_PID": "7",
    }
    loop: Any = Loop()
    manager = ServiceManager.of(environment, 7)
    manager.watch(loop)
    assert systemd.heard() == ["WATCHDOG=1"]
    assert systemd.heard() == []  # a loop that is stuck says nothing
    assert loop.timers[0].delay_s == 10.0
    loop.timers[0].run()
    assert systemd.heard() == ["WATCHDOG=1"]
    manager.close()
    assert loop.timers[1].cancelled


@pytest.mark.parametrize(
    "environment",
    [
        pytest.param({}, id="nobody"),
        pytest.param({"WATCHDOG_USEC": "1000000"}, id="no socket"),
        pytest.param({"NOTIFY_SOCKET": "/x"}, id="no watchdog"),
        pytest.param({"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "9", "WATCHDOG_PID": "8"}, id="8"),
    ],
)
def test_who_is_not_watched_sets_no_timer(environment: dict[str, str]) -> None:
    loop: Any = Loop()
    manager = ServiceManager.of(environment, 7)
    manager.watch(loop)
    assert loop.timers == []
    manager.close()


def test_nobody_who_hears_ends_no_service(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    manager = ServiceManager(str(tmp_path / "gone"), 0)
    with caplog.at_level(logging.WARNING):
        manager.ready("x")
    manager.close()
    assert "was not told READY=1" in caplog.text


def test_children_are_no_part_of_it() -> None:
    environment = {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "2", "HOME": "/"}
    assert environment_of_children(environment) == {"HOME": "/"}


def test_the_environment_of_this_process(systemd: Systemd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", systemd.address)
    manager = manager_of_this_process()
    manager.ready("x")
    manager.close()
    assert systemd.heard() == ["READY=1\nSTATUS=x"]
