"""An id without a bookie has one whose calls end."""

import asyncio
from collections.abc import Sequence

from magnetar_ledger.bookie_pool import LocalBookies, UnreachableBookie
from magnetar_proto.bookie import Status

from tests.ledger.fake_bookie import FakeBookie


class Ends:
    def __init__(self) -> None:
        self.adds: list[tuple[int, Status]] = []
        self.reads: list[tuple[int, Status]] = []

    def adds_completed(self, entry_ids: Sequence[int], status: Status) -> None:
        self.adds += [(entry_id, status) for entry_id in entry_ids]

    def read_completed(
        self, context: int, status: Status, first_entry_id: int, entries: Sequence[bytes]
    ) -> None:
        self.reads.append((context, status))


def test_bookies_are_found_by_id() -> None:
    bookie = FakeBookie()
    pool = LocalBookies({"a": bookie})
    assert pool.bookie("a") is bookie
    assert isinstance(pool.bookie("b"), UnreachableBookie)


async def test_calls_on_an_unreachable_bookie_end_later_and_once() -> None:
    bookie, ends = UnreachableBookie(), Ends()
    bookie.add(1, [5], b"", [b""], [b""], 0, ends)
    bookie.read(1, 2, 1, 1, 0, b"", ends, 6)
    called: list[bool] = []
    bookie.when_writable(lambda: called.append(bookie.writable))
    assert not ends.adds
    assert not ends.reads
    assert not called
    await asyncio.sleep(0)
    assert ends.adds == [(5, Status.UNAVAILABLE)]
    assert ends.reads == [(6, Status.UNAVAILABLE)]
    assert called == [True]
