"""The simulated machine: a loop on virtual time, clocks, a network, and a seed that draws.

A test that runs here is repeated exactly by its seed. See docs/simulation.md.
"""

from magnetar_runtime.sim.clock import WALL_START_MS, SimClock
from magnetar_runtime.sim.connections import SimConnection
from magnetar_runtime.sim.draws import CALM, LoopShape, stream
from magnetar_runtime.sim.hosts import SimHost
from magnetar_runtime.sim.links import Link, LinkShape
from magnetar_runtime.sim.loop import SimLoop
from magnetar_runtime.sim.network import SimNetwork
from magnetar_runtime.sim.simulation import Node, Simulation, run
from magnetar_runtime.sim.trace import Trace

__all__ = [
    "CALM",
    "WALL_START_MS",
    "Link",
    "LinkShape",
    "LoopShape",
    "Node",
    "SimClock",
    "SimConnection",
    "SimHost",
    "SimLoop",
    "SimNetwork",
    "Simulation",
    "Trace",
    "run",
    "stream",
]
