"""The simulated machine: a loop on virtual time, clocks, a network, and a seed that draws.

A test that runs here is repeated exactly by its seed. See docs/simulation.md.
"""

from magnetar_runtime.sim.clock import WALL_START_MS, SimClock
from magnetar_runtime.sim.draws import CALM, LoopShape, stream
from magnetar_runtime.sim.loop import SimLoop
from magnetar_runtime.sim.trace import Trace

__all__ = [
    "CALM",
    "WALL_START_MS",
    "LoopShape",
    "SimClock",
    "SimLoop",
    "Trace",
    "stream",
]
