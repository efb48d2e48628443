"""Names for producers that bring none."""

from magnetar_broker.producer_names import ProducerNames
from magnetar_metadata.memory import MemoryStore

from tests.broker.conftest import FakeClock


async def test_names_never_come_again() -> None:
    store = MemoryStore(FakeClock())
    names = []
    for _ in range(3):  # three starts on one store
        generator = ProducerNames(store, "c")
        await generator.start()
        names += [generator.next(), generator.next()]
    assert names == ["c-0-0", "c-0-1", "c-1-0", "c-1-1", "c-2-0", "c-2-1"]


async def test_path_is_that_of_pulsar() -> None:
    store = MemoryStore(FakeClock())
    await ProducerNames(store, "c").start()
    assert await store.children("/counters/producer-name") == ["-0000000000"]
