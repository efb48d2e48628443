"""What systemd is told by a service with `Type=notify`: ready, alive, about to stop.

The protocol is one datagram per message to the socket that `NOTIFY_SOCKET` names. Where nobody
listens, as in a terminal, all calls do nothing.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Mapping
from typing import Self

log = logging.getLogger(__name__)


class ServiceManager:
    """The one that started this process, if it wants to hear.

    Args:
        address: of its datagram socket; a leading `@` stands for the abstract name space.
        watchdog_us: it kills this process when it hears nothing for so long; 0 is never.
    """

    def __init__(self, address: str, watchdog_us: int) -> None:
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._watchdog_us = watchdog_us
        self._socket = _datagrams() if address else None
        self._timer: asyncio.TimerHandle | None = None

    @classmethod
    def of(cls, environment: Mapping[str, str], pid: int) -> Self:
        """As systemd has told a process of this id."""
        watched = environment.get("WATCHDOG_PID", "") in ("", str(pid))
        watchdog = environment.get("WATCHDOG_USEC", "")
        watchdog_us = int(watchdog) if watched and watchdog.isdigit() else 0
        return cls(environment.get("NOTIFY_SOCKET", ""), watchdog_us)

    def ready(self, status: str) -> None:
        """It serves; `status` is shown by `systemctl status`."""
        self._tell("READY=1", f"STATUS={status}")

    def stopping(self) -> None:
        """It was asked to end, or cannot go on."""
        self._tell("STOPPING=1")

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Say from the loop that it turns, three times as often as need be.

        A loop that is stuck says nothing, and the process is killed and started again.
        """
        if self._socket is None or not self._watchdog_us:
            return
        self._tell("WATCHDOG=1")
        self._timer = loop.call_later(self._watchdog_us / 3_000_000, self.watch, loop)

    def close(self) -> None:
        """Say nothing more."""
        if self._timer is not None:
            self._timer.cancel()
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _tell(self, *lines: str) -> None:
        if self._socket is None:
            return
        try:
            self._socket.sendto("\n".join(lines).encode(), self._address)
        except OSError as error:
            # A service does not end because nobody wants to hear of it.
            log.warning("the service manager was not told %s: %s", lines[0], error)


def _datagrams() -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    made.setblocking(False)  # a full buffer must not hold up the loop
    return made


def environment_of_children(environment: Mapping[str, str]) -> dict[str, str]:
    """Without what is meant for this process alone."""
    own = ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC")
    return {name: value for name, value in environment.items() if name not in own}


def manager_of_this_process() -> ServiceManager:
    """As the environment names it."""
    return ServiceManager.of(os.environ, os.getpid())
