"""What a watch is told, and that one read of the metadata serves all who ask at one time."""

import asyncio
from collections.abc import Sequence

from magnetar_broker.patterns.topic_pattern import TopicPattern
from magnetar_broker.topic_name import NamespaceName, TopicName
from magnetar_broker.topic_watches import TopicWatch
from magnetar_runtime.clock import SystemClock
from magnetar_runtime.slices import Slices

from tests.broker.conftest import Broker

DEFAULT = NamespaceName("public", "default")


class Told:
    """Keeps what it is told."""

    writable = True

    def __init__(self) -> None:
        self.updates: list[tuple[Sequence[str], Sequence[str]]] = []

    def topics_changed(
        self, added: Sequence[str], removed: Sequence[str], topics_hash: str
    ) -> None:
        self.updates.append((added, removed))


def names(*locals_: str) -> dict[str, TopicName]:
    parsed = [TopicName.parse(local) for local in locals_]
    return {str(name): name for name in parsed}


def new_watch() -> TopicWatch:
    return TopicWatch(TopicPattern("public/default/a.*"), Told())


async def test_only_what_matches_counts() -> None:
    watch, slices = new_watch(), Slices(SystemClock())
    first, second = names("a1", "b1"), names("a2", "a3", "b2")
    assert await watch.catch_up(first, slices) == (sorted(names("a1")), [])
    assert watch.is_at(first)
    assert await watch.catch_up(second, slices) == (sorted(names("a2", "a3")), sorted(names("a1")))
    assert watch.matching == set(names("a2", "a3"))


async def test_one_read_serves_all_who_ask_meanwhile(broker: Broker) -> None:
    reads, go_on = 0, asyncio.Event()
    read = broker.service.catalog.topics

    async def counted(namespace: NamespaceName) -> list[TopicName]:
        nonlocal reads
        reads += 1
        await go_on.wait()
        return await read(namespace)

    broker.service.catalog.topics = counted  # type: ignore[method-assign]
    watches = broker.service.topic_watches
    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(watches.begin(DEFAULT, new_watch()))
        await asyncio.sleep(0)
        go_on.set()
    assert reads == 1
    assert len(watches.namespaces[str(DEFAULT)].watches) == 3


async def test_namespace_is_forgotten_with_its_last_watch(broker: Broker) -> None:
    watches, first, second = broker.service.topic_watches, new_watch(), new_watch()
    await watches.begin(DEFAULT, first)
    await watches.begin(DEFAULT, second)
    watches.end(first)
    assert watches.namespaces
    watches.end(second)
    watches.end(second)
    assert not watches.namespaces
