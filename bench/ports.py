"""Ports of the loopback for servers under test: none is drawn twice, whoever draws beside us.

What the kernel calls free is free for a moment: a server that starts slowly, or is stopped and
started again, finds its port given to another one, or to an outgoing connection. So these ports
lie outside of those that the kernel hands out, and all processes of a user take turns in one file.
"""

import fcntl
import os
import socket
import tempfile
from pathlib import Path
from typing import Final

from bench.errors import ServerError

HOST: Final = "127.0.0.1"
_LOWEST: Final = 20_000
_ENOUGH: Final = 1_000
_KERNELS: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
_KERNELS_ELSEWHERE: Final = (49_152, 65_535)


def free_port() -> int:
    """A TCP port of the loopback that nobody has, and that is not drawn again for long."""
    with _turn_file().open("a+b") as turns:
        fcntl.flock(turns, fcntl.LOCK_EX)
        turns.seek(0)
        last = int(turns.read() or b"0")
        port = next((p for p in in_turn(usable(*_kernels_range()), last) if _is_free(p)), None)
        if port is None:
            raise ServerError("no port of the loopback is free")
        turns.truncate(0)
        turns.write(b"%d" % port)
        return port


def usable(first: int, last: int) -> range:
    """Where to draw from, when the kernel hands out `first` to `last` (inclusive) by itself."""
    outside = max(range(_LOWEST, first), range(max(last + 1, _LOWEST), 65_536), key=len)
    return outside if len(outside) >= _ENOUGH else range(_LOWEST, 65_536)


def in_turn(ports: range, last: int) -> list[int]:
    """All ports, those behind the last drawn one first."""
    begin = ports.index(last) + 1 if last in ports else 0
    return [*ports[begin:], *ports[:begin]]


def _turn_file() -> Path:
    return Path(tempfile.gettempdir()) / f"magnetar-test-ports-{os.getuid()}"


def _kernels_range() -> tuple[int, int]:
    try:
        first, last = _KERNELS.read_text().split()
    except FileNotFoundError:  # not Linux
        return _KERNELS_ELSEWHERE
    return int(first), int(last)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True
