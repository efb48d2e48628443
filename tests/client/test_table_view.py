"""Table views on real brokers."""

import asyncio
from typing import Any

import pytest
from magnetar import Client
from magnetar.errors import AlreadyClosed, InvalidMessage
from magnetar.schema import SchemaError
from magnetar.table_view import TableView
from magnetar_runtime.scope import TaskScope


class Unreadable:
    """A reader whose only message has a value that its schema cannot read."""

    def topic(self) -> str:
        return "t"

    async def read_next(self) -> Any:
        return self

    def has_partition_key(self) -> bool:
        return True

    def has_null_value(self) -> bool:
        return False

    def partition_key(self) -> str:
        return "k"

    def data(self) -> bytes:
        return b"x"

    def value(self) -> Any:
        raise SchemaError("not of this schema")


async def test_a_value_that_cannot_be_read_ends_the_view_and_not_the_client() -> None:
    reader: Any = Unreadable()
    failures: list[BaseException] = []
    view = TableView(reader, TaskScope(failures.append))
    await view._follow()
    with pytest.raises(InvalidMessage, match="key 'k'"):
        view.get("k")
    assert failures == []


async def test_a_view_that_cannot_be_read_in_leaves_no_reader(
    client: Client, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_: TableView) -> None:
        raise InvalidMessage("of another schema")

    monkeypatch.setattr(TableView, "start", broken)
    with pytest.raises(InvalidMessage, match="another schema"):
        await client.create_table_view(topic)
    assert not client._setups.consumers._open


async def test_a_table_follows_its_topic(client: Client, topic: str) -> None:
    producer = await client.create_producer(topic)
    for key, value in (("a", b"1"), ("b", b"2"), ("a", b"3"), ("c", b"4"), ("c", b"")):
        await producer.send(value, partition_key=key)
    await producer.send(b"without a key")
    async with await client.create_table_view(topic) as view:
        assert dict(view.items()) == {"a": b"3", "b": b"2"}
        assert (len(view), view.get("a"), view.get("x"), "b" in view) == (2, b"3", None, True)
        assert sorted(view) == ["a", "b"]
        changes: list[tuple[str, Any]] = []

        def listen(key: str, value: Any) -> None:
            changes.append((key, value))
            if value == b"5":
                raise RuntimeError("the table goes on")

        view.for_each_and_listen(listen)
        await producer.send(b"5", partition_key="a")
        await producer.send(b"", partition_key="b")
        async with asyncio.timeout(10):
            while len(changes) < 4:
                await asyncio.sleep(0.01)
        assert changes == [("a", b"3"), ("b", b"2"), ("a", b"5"), ("b", None)]
    with pytest.raises(AlreadyClosed):
        view.get("a")
