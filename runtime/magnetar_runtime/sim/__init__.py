"""The simulated machine: a loop on virtual time, clocks, a network, a disk, and a seed that draws.

A test that runs here is repeated exactly by its seed. See docs/simulation.md.
"""

from magnetar_runtime.sim.clock import WALL_START_MS, SimClock
from magnetar_runtime.sim.connections import SimConnection
from magnetar_runtime.sim.disk import SimDisk, SimFile
from magnetar_runtime.sim.draws import CALM, LoopShape, stream
from magnetar_runtime.sim.faults import Fault
from magnetar_runtime.sim.hosts import SimHost
from magnetar_runtime.sim.links import Link, LinkShape
from magnetar_runtime.sim.loop import SimLoop
from magnetar_runtime.sim.losses import LossPolicy
from magnetar_runtime.sim.network import SimNetwork
from magnetar_runtime.sim.simulation import Node, Simulation, run
from magnetar_runtime.sim.trace import Trace
from magnetar_runtime.sim.worker import SimWorker, WorkerShape

__all__ = [
    "CALM",
    "WALL_START_MS",
    "Fault",
    "Link",
    "LinkShape",
    "LoopShape",
    "LossPolicy",
    "Node",
    "SimClock",
    "SimConnection",
    "SimDisk",
    "SimFile",
    "SimHost",
    "SimLoop",
    "SimNetwork",
    "SimWorker",
    "Simulation",
    "Trace",
    "WorkerShape",
    "run",
    "stream",
]
