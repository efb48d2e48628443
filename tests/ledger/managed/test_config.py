"""What a topic's policies change of its managed ledger, while it is open too."""

import asyncio

from magnetar_ledger.managed import LedgerPolicies, ManagedLedgerConfig, Retention
from magnetar_ledger.position import EARLIEST

from tests.ledger.managed.harness import World, append, run


def test_what_is_not_set_is_that_of_the_configuration() -> None:
    config = ManagedLedgerConfig(retention=Retention(5, 6), mark_delete_rate_limit_per_s=7)
    assert LedgerPolicies().applied_to(config) == config
    policies = LedgerPolicies(Retention(1, 2), (3, 2, 1), 0.5)
    changed = policies.applied_to(config)
    assert changed.retention == Retention(1, 2)
    assert (changed.ensemble_size, changed.write_quorum, changed.ack_quorum) == (3, 2, 1)
    assert changed.mark_delete_rate_limit_per_s == 0.5


def test_retention_is_followed_while_the_topic_is_open() -> None:
    async def main() -> None:
        world = World()
        managed, appended = await world.open(max_entries_per_ledger=5)
        managed.apply(LedgerPolicies(Retention(-1, -1)))
        cursor = await managed.open_cursor("s", EARLIEST)
        await append(managed, appended, 0, 17)
        cursor.ack_cumulative(managed.last_position)
        await asyncio.sleep(60)
        assert managed.entries_total == 17
        managed.apply(LedgerPolicies())
        await asyncio.sleep(1)
        assert managed.entries_total == 2
        await managed.close()

    run(main())


def test_ledgers_that_follow_have_the_quorums_that_are_set() -> None:
    async def main() -> None:
        world = World(bookies=3)
        managed, appended = await world.open(max_entries_per_ledger=5)
        await managed.open_cursor("s", EARLIEST)
        await append(managed, appended, 0, 2)
        managed.apply(LedgerPolicies(quorums=(3, 3, 2)))
        await append(managed, appended, 2, 9)
        sizes = []
        for ledger_id in await world.listed():
            found = await world.ledger_registry.read(ledger_id)
            sizes.append((found[0].ensemble_size, found[0].write_quorum, found[0].ack_quorum))
        assert sizes[0] == (1, 1, 1)
        assert sizes[-1] == (3, 3, 2)
        await managed.close()

    run(main())


def test_a_rate_of_zero_writes_cursors_at_once() -> None:
    async def main() -> None:
        world = World()
        managed, appended = await world.open(mark_delete_rate_limit_per_s=0.001)
        cursor = await managed.open_cursor("s", EARLIEST)
        await append(managed, appended, 0, 9)
        managed.apply(LedgerPolicies(mark_delete_rate_limit_per_s=0.0))
        for position in appended.positions[:3]:
            cursor.ack_cumulative(position)
            await asyncio.sleep(0.1)
            assert cursor._kept_revision == cursor._state.revision
        await managed.close()

    run(main())
