"""The list of ledgers in metadata: what stands in it at each step."""

import pytest
from magnetar_ledger.errors import (
    LedgerMetadataError,
    ManagedLedgerFencedError,
    NoSuchManagedLedgerError,
)
from magnetar_ledger.managed.ledger_chain import LedgerChain, custom_metadata
from magnetar_metadata.managed_ledger_info import LedgerInfo, ManagedLedgerInfo
from magnetar_metadata.store import MetadataError, UnknownOutcomeError

from tests.ledger.managed.harness import TOPIC, WALL_START_MS, World, run


async def new_chain(world: World) -> LedgerChain:
    chain = LedgerChain(TOPIC, world.deps())
    await chain.recover(create=True)
    return chain


async def switch(chain: LedgerChain) -> int:
    writer = await chain.create_ledger()
    await chain.switch_to(writer.ledger_id)
    return writer.ledger_id


def test_the_open_ledger_stands_with_its_id_alone() -> None:
    async def main() -> None:
        world = World()
        chain = await new_chain(world)
        first = await switch(chain)
        chain.ledgers.grow(3, 30)
        second = await switch(chain)
        chain.ledgers.grow(9, 90)
        await chain.set_property("a", "b")
        assert (await world.info()).ledgers == (
            LedgerInfo(first, entries=3, size=30, timestamp_ms=WALL_START_MS),
            LedgerInfo(second),
        )

    run(main())


def test_a_ledger_left_empty_is_handed_back() -> None:
    async def main() -> None:
        world = World()
        chain = await new_chain(world)
        first = await switch(chain)
        writer = await chain.create_ledger()
        assert await chain.switch_to(writer.ledger_id) == first
        assert await world.listed() == [writer.ledger_id]
        assert chain.ledgers.ids == [writer.ledger_id]

    run(main())


def test_nothing_changes_when_the_list_cannot_be_written() -> None:
    async def main() -> None:
        world = World()
        chain = await new_chain(world)
        first = await switch(chain)
        chain.ledgers.grow(1, 1)

        def refuse(path: str) -> None:
            raise MetadataError(path, "down")

        world.store.before_write = refuse
        for change in (chain.switch_to(first + 1), chain.remove([first]), chain.terminate()):
            with pytest.raises(LedgerMetadataError):
                await change
        assert chain.ledgers.ids == [first]
        assert chain.ledgers.current_id == first
        assert chain.terminated_position is None

    run(main())


def test_a_lost_answer_does_not_fence() -> None:
    async def main() -> None:
        world = World()
        chain = await new_chain(world)
        first = await switch(chain)
        chain.ledgers.grow(1, 1)

        def lose(path: str) -> None:
            world.store.after_write = lambda path: None
            raise UnknownOutcomeError(path)

        world.store.after_write = lose
        second = await switch(chain)
        assert await world.listed() == [first, second]
        await chain.set_property("still", "owner")

    run(main())


def test_an_older_owner_is_fenced() -> None:
    async def main() -> None:
        world = World()
        old, new = await new_chain(world), await new_chain(world)
        await switch(new)
        writer = await old.create_ledger()
        with pytest.raises(ManagedLedgerFencedError):
            await old.switch_to(writer.ledger_id)

    run(main())


def test_listed_ledgers_that_are_gone_and_were_empty_are_dropped() -> None:
    async def main() -> None:
        world = World()
        await world.registry.create(TOPIC, ManagedLedgerInfo((LedgerInfo(4711),)))
        chain = LedgerChain(TOPIC, world.deps())
        assert await chain.recover(create=False) == [4711]
        await switch(chain)
        assert 4711 not in await world.listed()

    run(main())


def test_what_another_brokers_list_says_is_kept() -> None:
    async def main() -> None:
        world = World()
        listed = LedgerInfo(
            1, entries=5, size=50, timestamp_ms=WALL_START_MS - 9, offload_context=b"\x08\x01"
        )
        chain = await new_chain(world)
        await switch(chain)
        await switch(chain)
        found = await world.registry.read(TOPIC)
        assert found is not None
        info = ManagedLedgerInfo((listed, LedgerInfo(7)), properties={"k": "v"})
        await world.registry.write(TOPIC, info, found[1])
        chain = LedgerChain(TOPIC, world.deps())
        await chain.recover(create=False)
        await chain.set_property("more", "x")
        kept = await world.info()
        assert kept.ledgers == (listed,)
        assert kept.properties == {"k": "v", "more": "x"}

    run(main())


def test_no_topic_without_being_asked() -> None:
    async def main() -> None:
        with pytest.raises(NoSuchManagedLedgerError):
            await LedgerChain(TOPIC, World().deps()).recover(create=False)

    run(main())


def test_custom_metadata_names_topic_and_cursor() -> None:
    assert custom_metadata("a/b", "c") == {
        "application": b"pulsar",
        "component": b"managed-ledger",
        "pulsar/managed-ledger": b"a/b",
        "pulsar/cursor": b"c",
    }
