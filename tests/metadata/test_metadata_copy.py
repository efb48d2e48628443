"""A copy has every persistent node, is read back, and spares what is there."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from magnetar_metadata.errors import (
    CopyDiffersError,
    NodeExistsError,
    TargetNotEmptyError,
    UnknownOutcomeError,
)
from magnetar_metadata.ledger_registry import LedgerRegistry
from magnetar_metadata.memory import MemoryStore
from magnetar_metadata.metadata_copy import copy_metadata, read_tree

from tests.metadata.clocks import ManualClock
from tests.metadata.store_contract import value_of


def new_store() -> MemoryStore:
    return MemoryStore(ManualClock())


def nothing(what: str, done: int, total: int) -> None:
    pass


async def values_of(store: MemoryStore) -> dict[str, bytes]:
    return (await read_tree(store, nothing)).values


names = st.text(st.sampled_from("abL0.%-é"), min_size=1, max_size=3).filter(
    lambda name: name not in (".", "..")
)
paths = st.lists(names, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))


@given(st.dictionaries(paths, st.binary(max_size=5), max_size=12))
async def test_every_tree_is_copied(tree: dict[str, bytes]) -> None:
    source, target = new_store(), new_store()
    for path, value in tree.items():
        try:
            await source.create(path, value)
        except NodeExistsError:  # made as a parent
            await source.set(path, value)
    report = await copy_metadata(source, target)
    assert await values_of(target) == await values_of(source)
    assert report.nodes == report.made == report.verified


async def test_a_copy_of_ledgers_gives_new_ids() -> None:
    source, target = new_store(), new_store()
    ids = [await LedgerRegistry(source).new_ledger_id() for _ in range(3)]
    await source.create("/session", b"x", ephemeral=True)
    await source.create("/a/b", b"1234")
    report = await copy_metadata(source, target)
    assert (report.skipped_ephemeral, report.value_bytes) == (1, 4)
    assert report.ledger_ids_from == await LedgerRegistry(target).new_ledger_id() > max(ids)
    assert await target.get("/session") is None


async def test_a_target_with_nodes_is_refused_unless_told() -> None:
    source, target = new_store(), new_store()
    await source.create("/a/b", b"new")
    await source.create("/a/same", b"s")
    await target.create("/zookeeper/quota", b"")  # a server's own
    await target.create("/a/b", b"old")
    await target.create("/a/same", b"s")
    await target.create("/other", b"o")
    with pytest.raises(TargetNotEmptyError) as error:
        await copy_metadata(source, target)
    assert error.value.path == "/a"
    assert await value_of(target, "/a/b") == b"old"
    report = await copy_metadata(source, target, into_non_empty=True)
    assert (report.nodes, report.made, report.replaced) == (3, 0, 1)
    assert await value_of(target, "/a/b") == b"new"
    assert await value_of(target, "/other") == b"o"


async def test_a_servers_own_nodes_are_not_copied() -> None:
    source, target = new_store(), new_store()
    await source.create("/zookeeper/config", b"server.1")
    await source.create("/a/zookeeper", b"")
    await copy_metadata(source, target)
    assert await target.children("/") == ["a"]
    assert await target.children("/a") == ["zookeeper"]


class PlantedStore:
    """A store whose calls a test bends."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.lost: set[str] = set()
        self.false: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def create(self, path: str, value: bytes, **options: Any) -> str:
        value = b"false" if path in self.false else value
        created = await self._store.create(path, value, **options)
        if path in self.lost:
            self.lost.discard(path)
            raise UnknownOutcomeError(path)
        return created


async def test_lost_replies_are_got_over() -> None:
    source, target = new_store(), new_store()
    await LedgerRegistry(source).new_ledger_id()
    await source.create("/a/b", b"1")
    planted: Any = PlantedStore(target)
    planted.lost |= {"/a", "/a/b", "/ledgers/idgen/ID-"}
    await copy_metadata(source, planted)
    assert not planted.lost
    assert await values_of(target) == await values_of(source)


async def test_a_copy_that_does_not_read_back_is_an_error() -> None:
    source, target = new_store(), new_store()
    await source.create("/a/b", b"1")
    planted: Any = PlantedStore(target)
    planted.false.add("/a/b")
    with pytest.raises(CopyDiffersError) as error:
        await copy_metadata(source, planted)
    assert error.value.path == "/a/b"
