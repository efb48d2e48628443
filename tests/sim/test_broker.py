"""A broker and its clients under drawn faults: nothing acknowledged is lost, all comes in order."""

import asyncio
import os
from collections.abc import Callable

import pytest
from magnetar_runtime import sim
from magnetar_runtime.errors import SimulationError
from magnetar_storage.errors import StorageError

from tests.sim.clients import Seen, subscribe
from tests.sim.cluster import Cluster
from tests.sim.mutants import MUTANTS
from tests.sim.standalone import Standalone
from tests.sim.wire_client import RefusedError
from tests.sim.workload import Machine, run

COUNT = int(os.environ.get("SIM_BROKER_SEEDS", "40"))
SEED = int(os.environ.get("SIM_BROKER_SEED", "0"))
SEEDS_TO_FIND_A_MUTANT = 40
HARM = (AssertionError, RefusedError, StorageError, SimulationError)
"""Something is missing, cannot be read or opened, or never ends. Anything else is a mutant that
does not work."""


def _check(machine: Callable[[sim.Simulation], Machine], first: int, count: int) -> None:
    connections = brokers = stored = 0
    for seed in range(first, first + count):
        seen = _checked(seed, machine)
        connections += seen.connections
        brokers += seen.brokers
        stored += seen.stored is not None
    assert connections > 4 * count, "connections broke"
    assert brokers > 2.5 * count, "brokers were killed"
    assert stored > count // 4, "what was stored was read"


def _checked(seed: int, machine: Callable[[sim.Simulation], Machine]) -> Seen:
    seen, _ = run(seed, machine)
    try:
        seen.check()
    except AssertionError as error:
        error.add_note(f"seed {seed}")
        raise
    return seen


def test_over_bookies_that_lose_nothing() -> None:
    """What may go wrong is the broker's, the ledgers' and the protocol's."""
    _check(Cluster, SEED, COUNT)


def test_a_standalone_on_a_disk_that_forgets_what_was_not_synced() -> None:
    _check(Standalone, SEED, COUNT)


@pytest.mark.parametrize(
    "mutant",
    [
        "journal_without_sync",
        "journal_directory_without_sync",
        "entry_log_without_sync",
        "entry_log_directory_without_sync",
        "index_directory_without_sync",
        "receipt_before_sync",
        "metadata_told_early",
    ],
)
def test_a_standalone_without_a_sync_is_found(
    mutant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in range(SEEDS_TO_FIND_A_MUTANT):
        with MUTANTS[mutant]():
            try:
                _checked(seed, Standalone)
            except HARM as error:
                with capsys.disabled():
                    print(f"\nfound by seed {seed}: {str(error)[:100]}")
                return
    pytest.fail(f"not found by {SEEDS_TO_FIND_A_MUTANT} seeds")


def test_a_process_killed_while_it_loads_a_topic_can_still_be_stopped() -> None:
    """Cancelled, it closes the ledger that it has begun: for that it needs its disk."""

    async def main(world: sim.Simulation) -> bool:
        network, machine = world.node("consumer").network, Standalone(world)
        await machine.start()
        await subscribe(network, "s", "audit")
        await machine.kill(silently=False)
        await machine.restart()
        client = asyncio.ensure_future(subscribe(network, "s"))
        while not machine.is_loading:
            await asyncio.sleep(0.0001)
        await asyncio.sleep(world.rng("kill").random() * 0.01)
        killed_loading = machine.is_loading
        await machine.kill(silently=False)
        await asyncio.wait([client])
        assert isinstance(client.exception(), ConnectionResetError | None)
        await machine.restart()
        await machine.stop()
        return killed_loading

    assert sum(sim.run(main, seed=seed) for seed in range(20)) > 5
