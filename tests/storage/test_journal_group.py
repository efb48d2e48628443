"""One group: its kinds, and everybody told once."""

import asyncio
from collections.abc import Sequence

from magnetar_proto.bookie import Status
from magnetar_storage.journal_format import RecordKind
from magnetar_storage.journal_group import JournalGroup


class Sink:
    """Notes what it is told; the first time it may raise."""

    def __init__(self, *, raises: bool = False) -> None:
        self.told: list[tuple[list[int], Status]] = []
        self.raises = raises

    def adds_completed(self, entry_ids: Sequence[int], status: Status) -> None:
        self.told.append((list(entry_ids), status))
        if self.raises:
            raise KeyError("planned")


def test_kinds_are_those_of_the_records_in_order() -> None:
    group = JournalGroup()
    group.parts = [b""] * 8
    assert group.kinds() == bytes([RecordKind.ENTRY]) * 4
    group.controls = [(0, RecordKind.LEDGER_KEY), (3, RecordKind.FENCE)]
    entry = RecordKind.ENTRY
    assert group.kinds() == bytes([RecordKind.LEDGER_KEY, entry, entry, RecordKind.FENCE])


async def test_all_are_told_once_in_order_though_one_raises() -> None:
    loop = asyncio.get_running_loop()
    bugs: list[object] = []
    loop.set_exception_handler(lambda _loop, context: bugs.append(context["exception"]))
    group, order = JournalGroup(), list[str]()
    sinks = [Sink(), Sink(raises=True), Sink()]
    group.rows = {id(sink): (sink, [number]) for number, sink in enumerate(sinks)}
    group.waiters = [lambda _: order.append("first"), lambda _: order.append("second")]
    loop.call_soon(group.complete, loop, Status.IO_ERROR)
    for _ in range(5):
        await asyncio.sleep(0)
    for number, sink in enumerate(sinks):
        assert sink.told == [([number], Status.IO_ERROR)]
    assert sorted(order) == ["first", "second"]
    assert len(bugs) == 1
