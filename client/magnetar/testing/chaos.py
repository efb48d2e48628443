"""A TCP proxy that fails on order: it cuts, stalls, slows down and resets what runs through it.

    async with ChaosProxy("localhost", 6650) as proxy:
        client = Client(proxy.service_url)
        proxy.apply(Fault.CUT)

`draw_plan` draws a row of faults by a seed, and `run` makes them happen. It works on the simulated
network as well as on sockets.
"""

import asyncio
import random
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final, Self

from magnetar_runtime.network import Listener, Network, SystemNetwork
from magnetar_runtime.scope import TaskScope

from magnetar.testing.chaos_link import Link

_HOST: Final = "127.0.0.1"
_SLOW_BYTES_PER_S: Final = 20_000
_MAX_FRAME_CUT_BYTES: Final = 200


class Fault(Enum):
    """What may happen to the connections that are open."""

    CUT = "cut"
    """Both ends are closed."""
    RESET = "reset"
    """Both ends are reset, a few bytes later and so most likely inside of a frame."""
    STALL = "stall"
    """Nothing gets through any more, and nobody is told."""
    HALF_OPEN = "half-open"
    """The server's end is gone; the client's stays open, and what it sends is lost."""
    SLOW = "slow"
    """Few bytes get through in a second."""
    REFUSE = "refuse"
    """New connections are closed at once; open ones go on."""


@dataclass(frozen=True, slots=True)
class Step:
    """One fault of a plan.

    Attributes:
        after_s: how long after the end of the step before.
        fault: what happens.
        lasts_s: how long until all is well again.
    """

    after_s: float
    fault: Fault
    lasts_s: float


def draw_plan(
    seed: int,
    duration_s: float,
    *,
    calm_s: float = 1.0,
    fault_s: float = 0.5,
    faults: Iterable[Fault] = tuple(Fault),
) -> list[Step]:
    """A row of faults; one seed always draws the same.

    Args:
        seed: what the draw depends on.
        duration_s: no step begins later.
        calm_s: the mean time between two faults.
        fault_s: the mean time that a fault lasts.
        faults: what may happen.
    """
    draw = random.Random(seed)
    choices = list(faults)
    plan: list[Step] = []
    now_s = 0.0
    while True:
        step = Step(
            draw.expovariate(1 / calm_s), draw.choice(choices), draw.expovariate(1 / fault_s)
        )
        now_s += step.after_s
        if now_s >= duration_s:
            return plan
        plan.append(step)
        now_s += step.lasts_s


class ChaosProxy:
    """Hands connections on to a server, and fails on order.

    Attributes:
        accepted: connections so far.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        seed: int = 0,
        network: Network | None = None,
        own_host: str = _HOST,
    ) -> None:
        """Args:
        host: of the server.
        port: of the server.
        seed: decides where within a frame a reset falls.
        network: where connections come from; the machine's by default.
        own_host: where it listens; the loopback by default.
        """
        self._target = (host, port)
        self._own_host = own_host
        self._draw = random.Random(seed)
        self._network = network or SystemNetwork()
        self._links: dict[Link, None] = {}
        self._scope = TaskScope()
        self._listener: Listener | None = None
        self._stalled = False
        self._refusing = False
        self._bytes_per_s = 0
        self.accepted = 0

    @property
    def port(self) -> int:
        """Where clients connect to."""
        assert self._listener is not None, "not started"
        return self._listener.ports[0]

    @property
    def service_url(self) -> str:
        """Where clients of Pulsar connect to."""
        return f"pulsar://{self._own_host}:{self.port}"

    @property
    def open_links(self) -> int:
        """Connections that are open, at one end at least."""
        return len(self._links)

    async def start(self, port: int = 0) -> None:
        """Listen; 0 takes a free port."""
        self._listener = await self._network.listen(self._accept, self._own_host, port)

    async def close(self) -> None:
        """Stop listening and end all connections."""
        if self._listener is not None:
            self._listener.close()
        await self._scope.close()
        for link in list(self._links):
            link.reset()
        if self._listener is not None:
            await self._listener.wait_closed()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def apply(self, fault: Fault) -> None:
        """Let it happen now. What lasts does so until `heal`, for new connections too."""
        links = list(self._links)
        if fault is Fault.STALL:
            self._stalled = True
            for link in links:
                link.stall()
        elif fault is Fault.SLOW:
            self.slow(_SLOW_BYTES_PER_S)
        elif fault is Fault.REFUSE:
            self._refusing = True
        elif fault is Fault.CUT:
            for link in links:
                link.cut()
        elif fault is Fault.RESET:
            for link in links:
                link.reset_after(self._draw.randint(0, _MAX_FRAME_CUT_BYTES))
        else:
            for link in links:
                link.lose_server()

    def slow(self, bytes_per_s: int) -> None:
        """Let no more than so many bytes a second through, on each connection and way."""
        self._bytes_per_s = bytes_per_s
        for link in self._links:
            link.bytes_per_s = bytes_per_s

    def heal(self) -> None:
        """End what lasts. A connection that is half open is closed at last."""
        self._stalled = self._refusing = False
        self._bytes_per_s = 0
        for link in list(self._links):
            link.heal()

    async def run(self, plan: Iterable[Step]) -> None:
        """Let a plan happen; well again at its end, also if it is cancelled."""
        try:
            for step in plan:
                await asyncio.sleep(step.after_s)
                self.apply(step.fault)
                await asyncio.sleep(step.lasts_s)
                self.heal()
        finally:
            self.heal()

    def _accept(self) -> asyncio.Protocol:
        link = Link(self._begin, self._forget)
        return link.client

    def _begin(self, link: Link) -> None:
        self.accepted += 1
        if self._refusing or self._scope.closed:
            link.reset()
            return
        self._links[link] = None
        link.bytes_per_s = self._bytes_per_s
        if self._stalled:
            link.stall()
        self._scope.spawn(self._reach(link), name="chaos proxy connects")

    async def _reach(self, link: Link) -> None:
        try:
            await self._network.connect(lambda: link.server, *self._target)
        except OSError:
            link.reset()  # as the server would: nobody is there

    def _forget(self, link: Link) -> None:
        self._links.pop(link, None)
