"""A network in memory: hosts, links, connections, and what befalls them."""

import socket
from collections.abc import Iterable
from random import Random

from magnetar_runtime.network import is_loopback
from magnetar_runtime.sim.connections import Address, SimConnection
from magnetar_runtime.sim.draws import stream
from magnetar_runtime.sim.hosts import SimHost
from magnetar_runtime.sim.links import Link, LinkShape
from magnetar_runtime.sim.loop import SimLoop
from magnetar_runtime.sim.pipe import Pipe


class SimNetwork:
    """All hosts of a simulation.

    Args:
        shape: what links are like; drawn by the loop's seed if None.

    Attributes:
        connections: All that an end is left of, in the order of their beginning.
    """

    def __init__(self, loop: SimLoop, shape: LinkShape | None = None) -> None:
        self.loop = loop
        self.rng: Random = stream(loop.seed, "network")
        self._shape = shape or LinkShape.draw(stream(loop.seed, "links"))
        self._hosts: dict[str, SimHost] = {}
        self._links: dict[tuple[str, str], Link] = {}
        self._connections: list[SimConnection] = []
        self._made = 0

    @property
    def connections(self) -> list[SimConnection]:
        self._connections = [each for each in self._connections if each.is_open]
        return list(self._connections)

    def host(self, name: str) -> SimHost:
        """The host of this name, a new one if there is none."""
        if name not in self._hosts:
            address = f"10.0.{len(self._hosts) // 250}.{len(self._hosts) % 250 + 1}"
            self._hosts[name] = SimHost(self, name, address)
        return self._hosts[name]

    def link(self, source: SimHost, target: SimHost) -> Link:
        """One direction between two hosts; its shape may be changed."""
        key = (source.name, target.name)
        if key not in self._links:
            self._links[key] = Link(self.loop, self.rng, self._shape)
        return self._links[key]

    # Faults between hosts.

    def partition(
        self, some: Iterable[SimHost], others: Iterable[SimHost], *, one_way: bool = False
    ) -> None:
        """Let nothing pass from some hosts to others, nor back unless `one_way`."""
        for source in some:
            for target in others:
                self.link(source, target).block()
                if not one_way:
                    self.link(target, source).block()

    def heal(self) -> None:
        """Open all links again."""
        for link in self._links.values():
            link.unblock()

    def between(self, one: SimHost, other: SimHost) -> list[SimConnection]:
        """The open connections of two hosts."""
        pairs = ((one, other), (other, one))
        return [each for each in self.connections if (each.client, each.server) in pairs]

    def find(self, asker: SimHost, host: str) -> tuple[SimHost, str]:
        """A host by name or address, and the address that was meant.

        Raises:
            socket.gaierror: there is none.
        """
        if is_loopback(host):
            return asker, "127.0.0.1" if "." in host or host == "localhost" else "::1"
        for each in self._hosts.values():
            if host in (each.name, each.address):
                return each, each.address
        raise socket.gaierror(socket.EAI_NONAME, f"Name or service not known: {host}")

    def join(
        self, client: SimHost, server: SimHost, client_address: Address, server_address: Address
    ) -> SimConnection:
        """A new connection; called by hosts."""
        self._made += 1
        there, back = self.link(client, server), self.link(server, client)
        name = f"connection {self._made} {client.name}"
        pipes = (
            Pipe(self.loop, self.loop.trace, there, back, f"{name}>{server.name}"),
            Pipe(self.loop, self.loop.trace, back, there, f"{name}<{server.name}"),
        )
        addresses = (client_address, server_address)
        made = SimConnection(self.loop, self.rng, (client, server), addresses, pipes)
        self._connections.append(made)
        return made
