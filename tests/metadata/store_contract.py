"""What every metadata store promises. A test module derives from `StoreContract` and makes stores.

`store` is a fixture of the deriving class; `clock` is the clock that the store was given.
"""

import asyncio

import pytest
from magnetar_metadata.errors import (
    BadVersionError,
    MetadataError,
    NodeExistsError,
    NoNodeError,
    NotEmptyError,
    SessionExpiredError,
)
from magnetar_metadata.store import Check, Create, Delete, MetadataStore, Node, SetValue

from tests.metadata.clocks import ManualClock


async def value_of(store: MetadataStore, path: str) -> bytes:
    node = await store.get(path)
    assert node is not None
    return node.value


class StoreContract:
    async def test_a_value_is_read_as_it_was_written(self, store: MetadataStore) -> None:
        assert await store.create("/a", b"\0\xffvalue") == "/a"
        assert await value_of(store, "/a") == b"\0\xffvalue"
        assert await store.get("/b") is None

    async def test_a_node_tells_its_version_and_times(
        self, store: MetadataStore, clock: ManualClock
    ) -> None:
        created_ms = clock.now_ms
        await store.create("/a", b"1")
        clock.now_ms += 500
        stat = await store.set("/a", b"2", 0)
        assert await store.get("/a") == Node(b"2", stat)
        assert (stat.version, stat.created_ms) == (1, created_ms)
        assert (stat.modified_ms, stat.ephemeral_owner) == (created_ms + 500, 0)

    async def test_only_the_right_version_changes_a_node(self, store: MetadataStore) -> None:
        await store.create("/a", b"1")
        await store.set("/a", b"2")
        with pytest.raises(BadVersionError) as error:
            await store.set("/a", b"3", 0)
        assert error.value.path == "/a"
        with pytest.raises(BadVersionError):
            await store.delete("/a", 0)
        assert (await store.set("/a", b"3", 1)).version == 2
        await store.delete("/a", 2)
        assert await store.get("/a") is None

    async def test_what_is_not_there_cannot_be_changed(self, store: MetadataStore) -> None:
        with pytest.raises(NoNodeError):
            await store.set("/a", b"")
        with pytest.raises(NoNodeError):
            await store.delete("/a")
        with pytest.raises(NoNodeError):
            await store.create("/a/b", b"", make_parents=False)
        assert await store.children("/a") == []

    async def test_parents_are_made_and_a_second_create_is_refused(
        self, store: MetadataStore
    ) -> None:
        await store.create("/a/b/c", b"x")
        assert await value_of(store, "/a/b") == b""
        assert await store.children("/a") == ["b"]
        with pytest.raises(NodeExistsError):
            await store.create("/a/b/c", b"y")
        assert await value_of(store, "/a/b/c") == b"x"

    async def test_children_are_sorted_names(self, store: MetadataStore) -> None:
        for name in ("b", "a", "c"):
            await store.create(f"/p/{name}/below", b"")
        assert await store.children("/p") == ["a", "b", "c"]
        assert await store.children("/") == ["p"]

    async def test_a_node_with_children_stays(self, store: MetadataStore) -> None:
        await store.create("/a/b", b"")
        with pytest.raises(NotEmptyError):
            await store.delete("/a")
        await store.delete("/a/b")
        await store.delete("/a")
        assert await store.children("/") == []

    async def test_sequential_names_have_ten_digits_that_rise(self, store: MetadataStore) -> None:
        first = await store.create("/q/ID-", b"", sequential=True)
        assert first.startswith("/q/ID-")
        assert len(first) == len("/q/ID-") + 10
        await store.delete(first)
        second = await store.create("/q/ID-", b"", sequential=True, ephemeral=True)
        assert int(second[-10:]) > int(first[-10:])

    async def test_an_ephemeral_node_has_an_owner_and_no_children(
        self, store: MetadataStore
    ) -> None:
        await store.create("/e", b"", ephemeral=True)
        node = await store.get("/e")
        assert node is not None
        assert node.stat.ephemeral_owner == store.session_id != 0
        with pytest.raises(NotEmptyError):
            await store.create("/e/child", b"")

    async def test_multi_does_all(self, store: MetadataStore) -> None:
        await store.create("/a", b"1")
        await store.create("/b", b"1")
        await store.multi(
            [
                Check("/a", 0),
                SetValue("/a", b"2", 0),
                Delete("/b"),
                Create("/c", b"new"),
                Create("/c/d", b"below"),
            ]
        )
        assert await value_of(store, "/a") == b"2"
        assert await store.get("/b") is None
        assert await value_of(store, "/c/d") == b"below"

    @pytest.mark.parametrize(
        ("failing", "error"),
        [
            (Check("/a", 7), BadVersionError),
            (SetValue("/b", b"", 7), BadVersionError),
            (Delete("/nowhere"), NoNodeError),
            (Create("/a", b""), NodeExistsError),
            (Create("/nowhere/x", b""), NoNodeError),
        ],
    )
    async def test_multi_does_nothing_when_one_step_fails(
        self, store: MetadataStore, failing: object, error: type[MetadataError]
    ) -> None:
        await store.create("/a", b"1")
        await store.create("/b", b"1")
        steps = [SetValue("/a", b"2"), Delete("/b"), Create("/b", b"9"), Create("/b/c", b"")]
        with pytest.raises(error):
            await store.multi([*steps, failing])  # type: ignore[list-item]
        node = await store.get("/a")
        assert node is not None
        assert (node.value, node.stat.version) == (b"1", 0)
        assert await value_of(store, "/b") == b"1"
        assert await store.children("/b") == []
        assert await store.children("/") == ["a", "b"]

    async def test_an_empty_multi_is_nothing(self, store: MetadataStore) -> None:
        await store.multi([])

    @pytest.mark.parametrize("path", ["a", "/a/", "//a", "/a/../b", "/./a", "/a\0b", ""])
    async def test_what_is_no_path_is_refused(self, store: MetadataStore, path: str) -> None:
        with pytest.raises(MetadataError):
            await store.create(path, b"")
        with pytest.raises(MetadataError):
            await store.get(path)

    async def test_watches_hint_at_changes_of_node_and_children(self, store: MetadataStore) -> None:
        hints: asyncio.Queue[str] = asyncio.Queue(10)
        store.watch("/a", hints.put_nowait)
        await store.create("/a", b"")
        assert await hints.get() == "/a"
        await store.set("/a", b"1")
        assert await hints.get() == "/a"
        await store.create("/a/b", b"")
        assert await hints.get() == "/a"
        await store.delete("/a/b")
        assert await hints.get() == "/a"
        await store.set("/a", b"2")
        await hints.get()
        await store.create("/b", b"")
        await asyncio.sleep(0)
        assert hints.empty()

    async def test_an_ended_watch_is_silent(self, store: MetadataStore) -> None:
        hints: list[str] = []
        end = store.watch("/a", hints.append)
        kept: asyncio.Queue[str] = asyncio.Queue(10)
        store.watch("/a", kept.put_nowait)
        end()
        end()
        await store.create("/a", b"")
        await kept.get()
        assert hints == []

    async def test_writers_at_once_lose_no_update(self, store: MetadataStore) -> None:
        await store.create("/n", b"0")

        async def add_one() -> None:
            while True:
                node = await store.get("/n")
                assert node is not None
                try:
                    await store.set("/n", b"%d" % (int(node.value) + 1), node.stat.version)
                except BadVersionError:
                    continue
                return

        await asyncio.gather(*(add_one() for _ in range(5)))
        assert await value_of(store, "/n") == b"5"

    async def test_sync_and_a_second_close(self, store: MetadataStore) -> None:
        await store.create("/a", b"")
        await store.sync("/a")
        await store.close()
        await store.close()

    async def test_a_closed_store_refuses(self, store: MetadataStore) -> None:
        ended: list[int] = []
        store.when_session_ends(ended.append)
        await store.close()
        with pytest.raises(SessionExpiredError):
            await store.get("/a")
        with pytest.raises(SessionExpiredError):
            await store.create("/a", b"")
        await asyncio.sleep(0)
        assert ended == []  # `close` is no news to who called it
