"""A host of the simulated network: it listens, connects, and fails."""

from __future__ import annotations

import asyncio
import errno
import ssl as tls
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from magnetar_runtime.errors import NotSimulatedError
from magnetar_runtime.network import ProtocolFactory, address_text
from magnetar_runtime.sim.connections import Address
from magnetar_runtime.sim.links import Flight
from magnetar_runtime.sim.transport import SimTransport

if TYPE_CHECKING:
    from magnetar_runtime.sim.network import SimNetwork

CONNECT_LIMIT_S: Final = 127.0
"""After so long a connect without an answer fails: Linux' `tcp_syn_retries` = 6."""

_WILDCARDS: Final = ("0.0.0.0", "::")  # noqa: S104 - simulated
_FIRST_FREE_PORT: Final = 32_768


class SimHost:
    """A host's own network: `magnetar_runtime.network.Network`.

    It listens on its name, its address, loopback and the wildcards. TLS is not simulated.

    Attributes:
        name, address: How others reach it.
        has_power: False between `fail(silently=True)` and `restart`.
    """

    def __init__(self, network: SimNetwork, name: str, address: str) -> None:
        self.name = name
        self.address = address
        self._network = network
        self._loop = network.loop
        self._listening: dict[Address, SimListener] = {}
        self._next_port = _FIRST_FREE_PORT
        self.has_power = True

    async def listen(
        self,
        protocol_factory: ProtocolFactory,
        host: str | Sequence[str],
        port: int,
        ssl: tls.SSLContext | None = None,
    ) -> SimListener:
        """See `magnetar_runtime.network.Network.listen`."""
        _refuse_tls(ssl)
        addresses = [self._own(each) for each in ([host] if isinstance(host, str) else host)]
        port = port or self._free_port()
        keys = [(address, port) for address in dict.fromkeys(addresses)]
        if any(key in self._listening for key in keys):
            raise OSError(errno.EADDRINUSE, f"port {port} of {self.name} is taken")
        listener = SimListener(protocol_factory, self._listening, keys)
        self._listening.update(dict.fromkeys(keys, listener))
        return listener

    async def connect(
        self,
        protocol_factory: ProtocolFactory,
        host: str,
        port: int,
        ssl: tls.SSLContext | None = None,
    ) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
        """See `magnetar_runtime.network.Network.connect`."""
        _refuse_tls(ssl)
        target, address = self._network.find(self, host)
        own = address if target is self else self.address
        opened = self._knock(target, (own, self._free_port()), (address, port))
        try:
            async with asyncio.timeout(CONNECT_LIMIT_S):
                transport = await opened
        except TimeoutError:
            raise TimeoutError(errno.ETIMEDOUT, f"{host}:{port} does not answer") from None
        if transport is None:
            raise ConnectionRefusedError(errno.ECONNREFUSED, f"{host}:{port} is not open")
        protocol = protocol_factory()
        transport.start(protocol)
        return transport, protocol

    def _knock(
        self, target: SimHost, own: Address, peer: Address
    ) -> asyncio.Future[SimTransport | None]:
        """Ask for a connection; its end here comes back, or None if nobody listens there."""
        opened: asyncio.Future[SimTransport | None] = self._loop.create_future()

        def answered(transport: SimTransport | None) -> None:
            if not opened.done():
                opened.set_result(transport)
            elif transport is not None:
                transport.abort()  # nobody waits for it any more

        def knocked(addresses: tuple[Address, Address]) -> None:
            if target.has_power:
                back.send(target._accept(self, *addresses), 0)

        there = Flight(self._loop, self._network.link(self, target), knocked)
        back = Flight(self._loop, self._network.link(target, self), answered)
        there.send((own, peer), 0)
        return opened

    def fail(self, *, silently: bool) -> None:
        """End the process of this host: its protocols are told nothing, its ports are closed.

        Args:
            silently: as a power cut, of which peers learn nothing until `restart`. Else as
                `kill -9`: the system resets the connections.
        """
        self._listening.clear()
        self.has_power = not silently
        for connection in self._network.connections:
            if connection.joins(self):
                connection.lose_end(self, silently=silently)

    def restart(self) -> None:
        """Power is back: peers that still send on connections of before find them reset."""
        self.has_power = True
        for connection in self._network.connections:
            if connection.joins(self):
                connection.power_is_back()

    def _accept(self, client: SimHost, peer: Address, own: Address) -> SimTransport | None:
        """Take a connection; gives the client's end of it, or None if nobody listens."""
        address, port = own
        found = (self._listening.get((each, port)) for each in (address, *_WILDCARDS))
        listener = next((each for each in found if each is not None), None)
        if listener is None:
            return None
        connection = self._network.join(client, self, peer, own)
        connection.server_end.start(listener.protocol_factory())
        return connection.client_end

    def _own(self, host: str) -> str:
        if host in _WILDCARDS:
            return host
        found, address = self._network.find(self, host or self.name)
        if found is not self:
            raise OSError(errno.EADDRNOTAVAIL, f"{host} is not an address of {self.name}")
        return address

    def _free_port(self) -> int:
        self._next_port += 1
        return self._next_port


class SimListener:
    """`magnetar_runtime.network.Listener` of a simulated host."""

    def __init__(
        self,
        protocol_factory: ProtocolFactory,
        listening: dict[Address, SimListener],
        keys: Sequence[Address],
    ) -> None:
        self.protocol_factory = protocol_factory
        self._listening = listening
        self._keys = keys

    @property
    def addresses(self) -> list[str]:
        return [address_text(*key) for key in self._keys]

    @property
    def ports(self) -> list[int]:
        return [port for _, port in self._keys]

    def close(self) -> None:
        for key in self._keys:
            if self._listening.get(key) is self:
                del self._listening[key]

    async def wait_closed(self) -> None:
        """Nothing is left to wait for."""


def _refuse_tls(ssl: tls.SSLContext | None) -> None:
    if ssl is not None:
        raise NotSimulatedError("the simulated network has no TLS")
