"""A broker, its ledgers and its clients under drawn faults: nothing acknowledged is lost."""

import os

from tests.sim.workload import run

COUNT = int(os.environ.get("SIM_BROKER_SEEDS", "40"))
SEED = int(os.environ.get("SIM_BROKER_SEED", "0"))


def test_nothing_acknowledged_is_lost_and_all_comes_in_order() -> None:
    connections = brokers = 0
    for seed in range(SEED, SEED + COUNT):
        seen, _, _ = run(seed)
        seen.check()
        connections += seen.connections
        brokers += seen.brokers
    assert connections > 4 * COUNT, "connections broke"
    assert brokers > 1.5 * COUNT, "brokers were killed"
