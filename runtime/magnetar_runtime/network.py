"""The network as a parameter: listening and connecting."""

import asyncio
import errno
import socket
import ssl as tls
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import Protocol

ProtocolFactory = Callable[[], asyncio.BaseProtocol]

_LISTEN_BACKLOG = 1024
_PORT_ATTEMPTS = 16


class Listener(Protocol):
    """Open listening sockets."""

    @property
    def addresses(self) -> list[str]:
        """`host:port` of each socket, IPv6 in brackets."""

    @property
    def ports(self) -> list[int]:
        """The port of each socket."""

    def close(self) -> None:
        """Accept no more connections; open ones stay."""

    async def wait_closed(self) -> None: ...


class Network(Protocol):
    """Where connections come from and go to."""

    async def listen(
        self,
        protocol_factory: ProtocolFactory,
        host: str | Sequence[str],
        port: int,
        ssl: tls.SSLContext | None = None,
    ) -> Listener:
        """Accept connections on each host at one port; port 0 picks a free one.

        Raises:
            OSError: the port is taken, or none of the hosts is an address of this machine.
        """

    async def connect(
        self,
        protocol_factory: ProtocolFactory,
        host: str,
        port: int,
        ssl: tls.SSLContext | None = None,
    ) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
        """Open a connection; OSError if that fails."""


class SystemNetwork:
    """TCP of the machine, on the running loop."""

    async def listen(
        self,
        protocol_factory: ProtocolFactory,
        host: str | Sequence[str],
        port: int,
        ssl: tls.SSLContext | None = None,
    ) -> Listener:
        loop = asyncio.get_running_loop()
        servers = [
            await loop.create_server(protocol_factory, sock=sock, ssl=ssl, backlog=_LISTEN_BACKLOG)
            for sock in await bound_sockets([host] if isinstance(host, str) else host, port)
        ]
        return _SystemListener(servers)

    async def connect(
        self,
        protocol_factory: ProtocolFactory,
        host: str,
        port: int,
        ssl: tls.SSLContext | None = None,
    ) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
        loop = asyncio.get_running_loop()
        try:
            return await loop.create_connection(protocol_factory, host, port, ssl=ssl)
        except (ValueError, OverflowError) as error:  # of a name, or of a port
            raise OSError(errno.EINVAL, f"{address_text(host, port)}: {error}") from error


class _SystemListener:
    def __init__(self, servers: list[asyncio.Server]) -> None:
        self._servers = servers
        names = [sock.getsockname() for server in servers for sock in server.sockets]
        self._addresses = [address_text(name[0], name[1]) for name in names]
        self._ports = [name[1] for name in names]

    @property
    def addresses(self) -> list[str]:
        return self._addresses

    @property
    def ports(self) -> list[int]:
        return self._ports

    def close(self) -> None:
        for server in self._servers:
            server.close()

    async def wait_closed(self) -> None:
        for server in self._servers:
            await server.wait_closed()


async def bound_sockets(hosts: Sequence[str], port: int) -> list[socket.socket]:
    """Listening sockets on each host, all at one port; port 0 picks one that is free on all.

    A host that this machine does not have (`::1` where IPv6 is off) is left out, unless it is the
    only one.

    Raises:
        OSError: the port is taken, or no host is left.
    """
    targets = await _resolve(hosts, port)
    for attempt in range(_PORT_ATTEMPTS):
        try:
            return _bind_all(targets, port)
        except OSError as error:
            retry = port == 0 and error.errno == errno.EADDRINUSE and attempt < _PORT_ATTEMPTS - 1
            if not retry:
                raise
    raise AssertionError("unreachable")


async def _resolve(hosts: Sequence[str], port: int) -> list[tuple[int, str]]:
    """Each host's addresses, as (family, address) without repeats."""
    loop = asyncio.get_running_loop()
    targets: list[tuple[int, str]] = []
    for host in hosts:
        infos = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        targets += [(family, str(name[0])) for family, _, _, _, name in infos]
    return list(dict.fromkeys(targets))


def _bind_all(targets: Sequence[tuple[int, str]], port: int) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    absent: OSError | None = None
    for family, address in targets:
        try:
            sock = socket.create_server((address, port), family=family, backlog=_LISTEN_BACKLOG)
        except OSError as error:
            if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                absent = error
                continue
            for other in sockets:
                other.close()
            raise
        port = port or sock.getsockname()[1]
        sockets.append(sock)
    if not sockets:
        raise absent or OSError(errno.EADDRNOTAVAIL, "no host to listen on")
    return sockets


def is_loopback(host: str) -> bool:
    """Whether `host` (a name or an address) can only mean this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_address(host: str) -> bool:
    """Whether `host` is an address and no name."""
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def address_text(host: str, port: int) -> str:
    """`host:port`, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
