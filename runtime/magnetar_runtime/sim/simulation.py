"""A simulated world and the run of a program in it."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from random import Random
from typing import Any, Final, TypeVar

from magnetar_runtime.sim.clock import SimClock
from magnetar_runtime.sim.draws import LoopShape, stream
from magnetar_runtime.sim.hosts import SimHost
from magnetar_runtime.sim.links import LinkShape
from magnetar_runtime.sim.loop import MAX_TIME_S, MAX_TURNS, SimLoop
from magnetar_runtime.sim.network import SimNetwork
from magnetar_runtime.sim.trace import Trace

_EVENTS_IN_NOTE: Final = 20
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Node:
    """A machine: what a service that runs on it takes as parameters.

    Attributes:
        name: Also its name on the network.
        network: `magnetar_runtime.network.Network`; has faults of its own.
        clock: `magnetar_runtime.clock.Clock`; may be wrong.
        rng: Randomness of the services on it.
    """

    name: str
    network: SimHost
    clock: SimClock
    rng: Random


class Simulation:
    """A loop, a network and the nodes on it, all decided by one seed.

    Attributes:
        seed: Decides everything.
        loop: Where the program runs.
        network: For faults between nodes.
        trace: What happened so far.
    """

    def __init__(self, loop: SimLoop, link_shape: LinkShape | None = None) -> None:
        self.seed = loop.seed
        self.loop = loop
        self.network = SimNetwork(loop, link_shape)
        self._nodes: dict[str, Node] = {}

    @property
    def trace(self) -> Trace:
        return self.loop.trace

    def rng(self, purpose: str) -> Random:
        """A stream of its own for a purpose, for what a test draws itself."""
        return stream(self.seed, purpose)

    def node(self, name: str, *, clock_offset_ms: int = 0, clock_drift_ppm: int = 0) -> Node:
        """The node of this name; made with such a wall clock if there is none."""
        if name not in self._nodes:
            self._nodes[name] = Node(
                name,
                self.network.host(name),
                SimClock(self.loop, offset_ms=clock_offset_ms, drift_ppm=clock_drift_ppm),
                self.rng(f"node {name}"),
            )
        return self._nodes[name]


def run(
    main: Callable[[Simulation], Coroutine[Any, Any, Result]],
    *,
    seed: int = 0,
    loop_shape: LoopShape | None = None,
    link_shape: LinkShape | None = None,
    max_turns: int = MAX_TURNS,
    max_time_s: float = MAX_TIME_S,
) -> Result:
    """Run a program in a new simulation until `main` returns; what is left then is cancelled.

    Whatever the loop's exception handler is told ends the run too: nothing fails in silence. An
    error that ends it has a note with the seed and the last events.

    Args:
        main: gets the simulation.
        seed: repeats the run: same seed, same program, same trace.
        loop_shape, link_shape: drawn by the seed if None.
        max_turns, max_time_s: bounds in loop turns and virtual seconds.

    Raises:
        DeadlockError: nothing will ever happen again.
        SimulationLimitError: the bounds are reached.
    """
    loop_shape = loop_shape or LoopShape.draw(stream(seed, "loop shape"))
    trace = Trace()

    def new_loop() -> SimLoop:
        return SimLoop(seed, loop_shape, trace=trace, max_turns=max_turns, max_time_s=max_time_s)

    async def begin() -> Result:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SimLoop)
        loop.set_exception_handler(_fail)
        return await main(Simulation(loop, link_shape))

    runner = asyncio.Runner(loop_factory=new_loop)
    try:
        result = runner.run(begin())
    except BaseException as error:
        _tell(error, seed, trace)
        _close_after(runner, error)
        raise
    try:
        runner.close()
    except BaseException as error:
        _tell(error, seed, trace)
        raise
    return result


def _tell(error: BaseException, seed: int, trace: Trace) -> None:
    last = "\n  ".join(trace.tail()[-_EVENTS_IN_NOTE:])
    error.add_note(f"seed {seed}; {trace.events} events, the last:\n  {last}")


def _close_after(runner: asyncio.Runner, error: BaseException) -> None:
    """Cancel what is left; a task that does not end then hides no error that came first."""
    try:
        runner.close()
    except Exception as later:  # noqa: BLE001 - told with the first one
        error.add_note(f"and when what was left was cancelled: {later!r}")


def _fail(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    assert isinstance(loop, SimLoop)
    message = context.get("message", "")
    loop.fail(context.get("exception") or RuntimeError(message))
