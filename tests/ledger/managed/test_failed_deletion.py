"""A managed ledger whose deletion fails half way."""

import pytest
from magnetar_ledger.errors import LedgerError, ManagedLedgerFencedError
from magnetar_ledger.managed import Retention
from magnetar_ledger.position import EARLIEST
from magnetar_metadata.ledger_metadata import LedgerState
from magnetar_metadata.store import MetadataError

from tests.ledger.managed.harness import World, append, payload, read_all, run

KEEP = Retention(time_ms=-1, size_bytes=-1)


def test_a_deletion_that_fails_ends_all_the_same() -> None:
    async def main() -> None:
        world = World()
        managed, appended = await world.open(retention=KEEP)
        await managed.open_cursor("sub", EARLIEST)
        await append(managed, appended, 0, 5)
        delete = world.store.delete

        async def away(path: str, version: int = -1) -> None:
            raise MetadataError(path, "away")

        world.store.delete = away  # type: ignore[method-assign]
        with pytest.raises(LedgerError):
            await managed.delete()
        found = await world.ledger_registry.read(appended.positions[0].ledger_id)
        assert found is not None
        assert found[0].state is LedgerState.CLOSED  # nothing of it runs here any more
        world.store.delete = delete  # type: ignore[method-assign]
        again, _ = await world.open(retention=KEEP)
        assert await read_all(again) == [payload(i) for i in range(5)]
        await again.delete()
        assert await world.ledger_registry.list_ids() == []

    run(main())


def test_an_owner_that_was_replaced_deletes_nothing() -> None:
    """Scenario: it was paused while it deleted an unused topic, and the next owner took entries."""

    async def main() -> None:
        world = World()
        former, _ = await world.open(retention=KEEP)
        managed, appended = await world.open(retention=KEEP)
        await append(managed, appended, 0, 5)
        with pytest.raises(ManagedLedgerFencedError):
            await former.delete()
        await managed.close()
        again, _ = await world.open(retention=KEEP)
        assert await read_all(again) == [payload(i) for i in range(5)]
        await again.close()

    run(main())


def test_an_owner_that_was_replaced_leaves_the_subscriptions() -> None:
    """Scenario: the next owner's consumers have acknowledged since; without their cursors they
    would get all again, or, where nothing holds it back, what they did not get would be trimmed."""

    async def main() -> None:
        world = World()
        former, _ = await world.open(retention=KEEP)
        await former.open_cursor("sub", EARLIEST)
        managed, appended = await world.open(retention=KEEP)
        await append(managed, appended, 0, 5)
        with pytest.raises(ManagedLedgerFencedError):
            await former.delete()
        assert await world.registry.cursor_names(managed.name) == ["sub"]
        await managed.close()

    run(main())


def test_a_deletion_whose_answer_was_lost_is_done_again() -> None:
    async def main() -> None:
        world = World()
        managed, _ = await world.open(retention=KEEP)
        await managed.open_cursor("sub", EARLIEST)
        await managed.delete()
        await managed.delete()
        assert await world.ledger_registry.list_ids() == []

    run(main())
