"""Speculative reads: a slow replica costs little, and whoever is first wins."""

import asyncio

import pytest
from magnetar_ledger.config import LedgerClientConfig
from magnetar_ledger.errors import EntryUnreadableError
from magnetar_proto.bookie import Status

from tests.ledger.cluster import Cluster
from tests.ledger.test_reader import payloads, reads_of, written
from tests.ledger.virtual_time import run, turns

CONFIG = LedgerClientConfig(speculative_read_timeout_ms=100, read_timeout_ms=5_000)


def elapsed_ms(cluster: Cluster, start_ns: int) -> int:
    return (cluster.clock.monotonic_ns() - start_ns) // 1_000_000


def test_a_slow_replica_costs_the_speculative_timeout() -> None:
    async def main() -> None:
        cluster = Cluster(config=CONFIG)
        writer, reader = await written(cluster, 5)
        cluster.ensemble(writer)[0].held = True
        start = cluster.clock.monotonic_ns()
        assert await reader.read(0, 5, 10_000) == payloads(0, 5)
        assert elapsed_ms(cluster, start) == 100
        start = cluster.clock.monotonic_ns()
        assert await reader.read(0, 5, 10_000) == payloads(0, 5)  # begins with the quicker one
        assert elapsed_ms(cluster, start) == 0

    run(main())


def test_each_further_one_waits_longer_and_a_late_first_one_still_wins() -> None:
    async def main() -> None:
        cluster = Cluster(config=CONFIG)
        writer, reader = await written(cluster, 5)
        cluster.hold()
        start = cluster.clock.monotonic_ns()
        read = asyncio.ensure_future(reader.read(0, 5, 10_000))
        first, second, third = cluster.ensemble(writer)
        await asyncio.sleep(0.15)
        assert [len(reads_of(b)) for b in (first, second, third)] == [1, 1, 0]
        await asyncio.sleep(0.2)
        assert [len(reads_of(b)) for b in (first, second, third)] == [1, 1, 1]
        first.run_all()
        assert await read == payloads(0, 5)
        assert elapsed_ms(cluster, start) == 350
        second.run_all()  # too late, and no harm
        third.run_all()
        await turns()

    run(main())


def test_all_slow_is_the_timeout_of_the_last_one() -> None:
    async def main() -> None:
        cluster = Cluster(config=CONFIG)
        _, reader = await written(cluster, 5)
        cluster.hold()
        start = cluster.clock.monotonic_ns()
        with pytest.raises(EntryUnreadableError):
            await reader.read(0, 5, 10_000)
        assert elapsed_ms(cluster, start) == 300 + 5_000

    run(main())


def test_a_failure_does_not_wait_for_the_timer() -> None:
    async def main() -> None:
        cluster = Cluster(config=CONFIG)
        writer, reader = await written(cluster, 5)
        for bookie in cluster.ensemble(writer)[:2]:
            bookie.answer = Status.IO_ERROR
        start = cluster.clock.monotonic_ns()
        assert await reader.read(0, 5, 10_000) == payloads(0, 5)
        assert elapsed_ms(cluster, start) == 0

    run(main())
