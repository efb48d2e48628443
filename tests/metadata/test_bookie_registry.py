"""Bookies come, turn read-only, and go."""

import asyncio

import pytest
from magnetar_metadata.bookie_registry import (
    BookieEndpoint,
    BookieRegistry,
    BookieServiceInfo,
    is_bookie_id,
)
from magnetar_metadata.errors import MalformedRecordError, NodeExistsError, UnknownOutcomeError
from magnetar_metadata.memory import MemoryStore

from tests.metadata.clocks import ManualClock

# What the Java bookie of BookKeeper 4.17.2 registers.
GOLDEN_BYTES = bytes.fromhex(
    "3223 0a06" + b"bookie".hex() + "108db501 1a09" + b"127.0.0.1".hex() +
    "220a" + b"bookie-rpc".hex()
)  # fmt: skip
GOLDEN = BookieServiceInfo((BookieEndpoint("bookie", "127.0.0.1", 23181),))


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(ManualClock())


@pytest.fixture
def registry(store: MemoryStore) -> BookieRegistry:
    return BookieRegistry(store)


def test_the_golden_bytes() -> None:
    assert GOLDEN.encode() == GOLDEN_BYTES
    assert BookieServiceInfo.decode(GOLDEN_BYTES) == GOLDEN


def test_all_fields_come_back() -> None:
    info = BookieServiceInfo(
        (BookieEndpoint("x", "h", 1, "http", ("tls",), ("e",)),), {"k": "v", "a": "b"}
    )
    assert BookieServiceInfo.decode(info.encode()) == info
    assert BookieServiceInfo.decode(b"") == BookieServiceInfo()  # the old form: the id says where
    with pytest.raises(MalformedRecordError):
        BookieServiceInfo.decode(b"\xff")


async def test_a_bookie_is_there_while_its_session_lasts(
    store: MemoryStore, registry: BookieRegistry
) -> None:
    assert await registry.writable() == []
    other = store.new_session()
    await BookieRegistry(other).register("b:1", GOLDEN)
    await registry.register("a:1", BookieServiceInfo())
    assert await registry.writable() == ["a:1", "b:1"]
    assert await registry.service_info("b:1") == GOLDEN
    await other.close()
    assert await registry.writable() == ["a:1"]
    assert await registry.service_info("b:1") is None


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("at", range(4))
async def test_who_changes_over_while_the_lists_are_read_is_there(read_only: bool, at: int) -> None:
    class Slow(MemoryStore):
        """The bookie changes over before the read of this number."""

        reads = 0

        async def children(self, path: str) -> list[str]:
            if Slow.reads == at:
                await BookieRegistry(self).register("a:1", GOLDEN, not read_only)
            Slow.reads += 1
            return await super().children(path)

    registry = BookieRegistry(Slow(ManualClock()))
    await registry.register("a:1", GOLDEN, read_only)
    assert await registry.registered() == {"a:1"}


async def test_read_only_and_back(registry: BookieRegistry) -> None:
    await registry.register("a:1", GOLDEN)
    await registry.register("a:1", GOLDEN, read_only=True)
    assert (await registry.writable(), await registry.read_only()) == ([], ["a:1"])
    assert await registry.service_info("a:1") == GOLDEN
    await registry.register("a:1", GOLDEN)
    assert (await registry.writable(), await registry.read_only()) == (["a:1"], [])
    await registry.unregister("a:1")
    assert (await registry.writable(), await registry.read_only()) == ([], [])


async def test_registering_again_renews_the_information(registry: BookieRegistry) -> None:
    await registry.register("a:1", BookieServiceInfo())
    await registry.register("a:1", GOLDEN)
    assert await registry.service_info("a:1") == GOLDEN


async def test_a_quick_restart_waits_for_the_end_of_its_old_session(
    store: MemoryStore, registry: BookieRegistry
) -> None:
    old = store.new_session()
    await BookieRegistry(old).register("a:1", BookieServiceInfo())
    start = asyncio.ensure_future(registry.register("a:1", GOLDEN))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not start.done()
    old.expire()
    await start
    assert await registry.service_info("a:1") == GOLDEN


async def test_a_bookie_of_the_same_id_that_stays_is_an_error(
    store: MemoryStore, registry: BookieRegistry
) -> None:
    await BookieRegistry(store.new_session()).register("a:1", GOLDEN)
    with pytest.raises(NodeExistsError, match="another session"):
        await registry.register("a:1", GOLDEN, other_session_timeout_ms=0)


async def test_another_one_that_is_read_only_is_as_much_in_the_way(
    store: MemoryStore, registry: BookieRegistry
) -> None:
    old = store.new_session()
    other = BookieRegistry(old)
    await other.register("a:1", BookieServiceInfo(), read_only=True)
    with pytest.raises(NodeExistsError, match="another session"):
        await registry.register("a:1", GOLDEN, other_session_timeout_ms=0)
    assert (await other.writable(), await other.read_only()) == ([], ["a:1"])
    start = asyncio.ensure_future(registry.register("a:1", GOLDEN))
    await asyncio.sleep(0)
    old.expire()
    await start
    assert (await registry.writable(), await registry.read_only()) == (["a:1"], [])


async def test_only_the_session_that_registered_a_bookie_unregisters_it(
    store: MemoryStore, registry: BookieRegistry
) -> None:
    await registry.register("a:1", GOLDEN)
    other = BookieRegistry(store.new_session())
    await other.unregister("a:1")
    assert await registry.is_registered("a:1")
    assert not await registry.is_registered("a:1", read_only=True)
    assert not await other.is_registered("a:1")
    await registry.unregister("a:1")
    assert not await registry.is_registered("a:1")


class Silent(MemoryStore):
    """An answer takes longer than sessions last, and then none comes."""

    async def create(self, path: str, value: bytes, **options: bool) -> str:
        await asyncio.sleep(0.01)
        raise UnknownOutcomeError(path, "no answer")


async def test_a_store_that_does_not_answer_is_not_taken_for_another_session() -> None:
    registry = BookieRegistry(Silent(ManualClock()))
    with pytest.raises(UnknownOutcomeError):
        await registry.register("a:1", GOLDEN, other_session_timeout_ms=1)


async def test_a_watch_hints_at_comings_and_goings(registry: BookieRegistry) -> None:
    hints: list[str] = []
    end = registry.watch(hints.append)
    await registry.register("a:1", GOLDEN)
    await asyncio.sleep(0)
    assert "/ledgers/available" in hints
    hints.clear()
    await registry.register("a:1", GOLDEN, read_only=True)
    await asyncio.sleep(0)
    assert {"/ledgers/available", "/ledgers/available/readonly"} <= set(hints)
    hints.clear()
    end()
    await registry.unregister("a:1")
    await asyncio.sleep(0)
    assert hints == []


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("127.0.0.1:3181", True),
        ("bookie-0_a.b", True),
        ("", False),
        ("readonly", False),
        ("a/b", False),
        ("a b", False),
    ],
)
def test_bookie_ids(text: str, good: bool) -> None:
    assert is_bookie_id(text) is good
