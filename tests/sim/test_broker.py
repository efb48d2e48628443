"""A broker and its clients under drawn faults: nothing acknowledged is lost, all comes in order."""

import os
from collections.abc import Callable

from magnetar_runtime import sim

from tests.sim.standalone import Standalone
from tests.sim.workload import Cluster, Machine, run

COUNT = int(os.environ.get("SIM_BROKER_SEEDS", "40"))
SEED = int(os.environ.get("SIM_BROKER_SEED", "0"))


def _check(machine: Callable[[sim.Simulation], Machine], first: int, count: int) -> None:
    connections = brokers = 0
    for seed in range(first, first + count):
        seen, _ = run(seed, machine)
        seen.check()
        connections += seen.connections
        brokers += seen.brokers
    assert connections > 4 * count, "connections broke"
    assert brokers > 1.5 * count, "brokers were killed"


def test_over_bookies_that_lose_nothing() -> None:
    """What may go wrong is the broker's, the ledgers' and the protocol's."""
    _check(Cluster, SEED, COUNT)


def test_a_standalone_on_a_disk_that_forgets_what_was_not_synced() -> None:
    _check(Standalone, SEED, COUNT)
