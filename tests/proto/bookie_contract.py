"""The contract of `magnetar_proto.bookie.Bookie`, as tests that every implementation inherits.

class TestOurBookie(BookieContract):
    @pytest.fixture
    async def harness(self, tmp_path): ...   # yields a BookieHarness with a fresh bookie
"""

from collections.abc import Sequence
from typing import Protocol

from magnetar_proto.bookie import (
    ENTRY_HEADER_BYTES,
    FENCE,
    HIGH_PRIORITY,
    LAST_ENTRY,
    RECOVERY_ADD,
    Bookie,
    Status,
)

KEY = b"\x01" * 20
OTHER_KEY = b"\x02" * 20
LEDGER = 7
MAX_BYTES = 1 << 20


class BookieHarness(Protocol):
    """A bookie under test and what moves its world."""

    bookie: Bookie
    """The bookie; another one after `restart`."""

    flood_bytes: int
    """Payload bytes that, waiting at once, make it not writable."""

    async def settle(self) -> None:
        """Let everything happen that was asked for so far, completions included."""

    async def restart(self) -> None:
        """Stop it without a clean end, keeping what is durable, and start it again."""


class Adds:
    """An add sink that keeps what it is told."""

    def __init__(self) -> None:
        self.batches: list[tuple[list[int], Status]] = []

    def adds_completed(self, entry_ids: Sequence[int], status: Status) -> None:
        self.batches.append((list(entry_ids), status))

    @property
    def entry_ids(self) -> list[int]:
        return [entry_id for entry_ids, _ in self.batches for entry_id in entry_ids]

    @property
    def by_entry(self) -> dict[int, Status]:
        """Statuses by entry id; each must have ended once."""
        rows = [(entry_id, status) for ids, status in self.batches for entry_id in ids]
        assert len(dict(rows)) == len(rows), f"an add ended twice: {rows}"
        return dict(rows)


class Reads:
    """A read sink that keeps what it is told."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, Status, int, list[bytes]]] = []

    def read_completed(
        self, context: int, status: Status, first_entry_id: int, entries: Sequence[bytes]
    ) -> None:
        self.rows.append((context, status, first_entry_id, list(entries)))


def header_of(ledger_id: int, entry_id: int, digest: bytes = b"\xdd" * 4) -> bytes:
    """The 32 header bytes of an entry, and a digest (which a bookie does not look at)."""
    numbers = (ledger_id, entry_id, entry_id - 1, 0)
    head = b"".join(number.to_bytes(8, "big", signed=True) for number in numbers)
    assert len(head) == ENTRY_HEADER_BYTES
    return head + digest


def payload_of(entry_id: int, size: int = 20) -> bytes:
    """A payload that no other entry has."""
    return (b"payload %d " % entry_id).ljust(size, b".")


def entry_of(entry_id: int, size: int = 20, ledger_id: int = LEDGER) -> bytes:
    """The whole entry that `add` stores."""
    return header_of(ledger_id, entry_id) + payload_of(entry_id, size)


def add(
    bookie: Bookie,
    sink: Adds,
    entry_id: int,
    *,
    ledger_id: int = LEDGER,
    key: bytes = KEY,
    size: int = 20,
    flags: int = 0,
) -> None:
    """Add an entry."""
    header, payload = header_of(ledger_id, entry_id), payload_of(entry_id, size)
    bookie.add(ledger_id, [entry_id], key, [header], [payload], flags, sink)


async def add_all(
    harness: BookieHarness, entry_ids: Sequence[int], *, ledger_id: int = LEDGER, flags: int = 0
) -> dict[int, Status]:
    sink = Adds()
    for entry_id in entry_ids:
        add(harness.bookie, sink, entry_id, ledger_id=ledger_id, flags=flags)
    await harness.settle()
    return sink.by_entry


async def read(
    harness: BookieHarness,
    first_entry_id: int,
    max_entries: int = 100,
    max_bytes: int = MAX_BYTES,
    *,
    ledger_id: int = LEDGER,
    flags: int = 0,
    key: bytes = b"",
) -> tuple[Status, int, list[bytes]]:
    """One read to its end."""
    sink = Reads()
    harness.bookie.read(ledger_id, first_entry_id, max_entries, max_bytes, flags, key, sink, 4711)
    await harness.settle()
    ((context, status, first, entries),) = sink.rows
    assert context == 4711
    if status is not Status.OK:
        assert entries == []
    return status, first, entries


async def fence(
    harness: BookieHarness, key: bytes = KEY, ledger_id: int = LEDGER
) -> tuple[Status, int, list[bytes]]:
    """Fence by a read of the last entry, as recovery does first."""
    return await read(harness, LAST_ENTRY, 1, ledger_id=ledger_id, flags=FENCE, key=key)


def all_ok(statuses: dict[int, Status], count: int) -> bool:
    return len(statuses) == count and set(statuses.values()) == {Status.OK}


class BookieContract:
    """The rules; a subclass gives the `harness` fixture."""

    # ---- how calls end ----

    async def test_add_never_ends_inside_the_call(self, harness: BookieHarness) -> None:
        sink = Adds()
        add(harness.bookie, sink, 0)
        assert sink.batches == []
        add(harness.bookie, sink, 1, key=OTHER_KEY)
        assert sink.batches == []
        await harness.settle()
        assert sink.by_entry == {0: Status.OK, 1: Status.UNAUTHORIZED}

    async def test_read_never_ends_inside_the_call(self, harness: BookieHarness) -> None:
        await add_all(harness, [0])
        sink = Reads()
        for ledger_id, entry_id in ((LEDGER, 0), (LEDGER, 1), (LEDGER + 1, 0)):
            harness.bookie.read(ledger_id, entry_id, 1, MAX_BYTES, 0, b"", sink, 0)
        assert sink.rows == []
        await harness.settle()
        assert [row[1] for row in sink.rows].count(Status.OK) == 1
        assert len(sink.rows) == 3

    async def test_every_add_ends_once_and_in_order(self, harness: BookieHarness) -> None:
        sink = Adds()
        for entry_id in range(500):
            add(harness.bookie, sink, entry_id)
        await harness.settle()
        assert sink.entry_ids == list(range(500))
        assert all_ok(sink.by_entry, 500)
        await harness.settle()
        assert len(sink.entry_ids) == 500

    async def test_entries_of_one_call_are_entries_like_others(
        self, harness: BookieHarness
    ) -> None:
        sink = Adds()
        for ids in (range(50), [50], range(51, 200), [203, 201, 207]):
            headers = [header_of(LEDGER, entry_id) for entry_id in ids]
            payloads = [payload_of(entry_id) for entry_id in ids]
            harness.bookie.add(LEDGER, ids, KEY, headers, payloads, 0, sink)
        assert sink.batches == []
        await harness.settle()
        assert sink.entry_ids == [*range(200), 203, 201, 207]
        assert all_ok(sink.by_entry, 203)
        for _ in range(2):
            assert (await read(harness, 0, 1000))[2] == [entry_of(e) for e in range(200)]
            assert await read(harness, 203) == (Status.OK, 203, [entry_of(203)])
            assert (await read(harness, LAST_ENTRY))[1] == 207
            await harness.restart()

    async def test_each_sink_is_told_of_its_own_adds(self, harness: BookieHarness) -> None:
        sinks = [Adds(), Adds(), Adds()]
        for entry_id in range(30):
            add(harness.bookie, sinks[entry_id % 3], entry_id)
        await harness.settle()
        for index, sink in enumerate(sinks):
            assert sink.entry_ids == list(range(index, 30, 3))
            assert all_ok(sink.by_entry, 10)

    async def test_every_read_ends_once(self, harness: BookieHarness) -> None:
        await add_all(harness, range(20))
        sink = Reads()
        for entry_id in range(20):
            harness.bookie.read(LEDGER, entry_id, 1, MAX_BYTES, 0, b"", sink, entry_id)
        await harness.settle()
        assert sorted(row[0] for row in sink.rows) == list(range(20))
        for context, status, first, entries in sink.rows:
            assert (status, first, entries) == (Status.OK, context, [entry_of(context)])

    # ---- what reads give ----

    async def test_entries_come_back_as_they_were(self, harness: BookieHarness) -> None:
        for entry_id, size in enumerate((11, 4096, 300_000)):
            sink = Adds()
            add(harness.bookie, sink, entry_id, size=size)
            await harness.settle()
            assert all_ok(sink.by_entry, 1)
            assert await read(harness, entry_id, 1) == (
                Status.OK,
                entry_id,
                [entry_of(entry_id, size)],
            )

    async def test_unknown_ledger_and_missing_entry_differ(self, harness: BookieHarness) -> None:
        await add_all(harness, [0])
        assert (await read(harness, 0, ledger_id=LEDGER + 1))[0] is Status.NO_LEDGER
        assert (await read(harness, LAST_ENTRY, ledger_id=LEDGER + 1))[0] is Status.NO_LEDGER
        assert (await read(harness, 1))[0] is Status.NO_ENTRY

    async def test_last_entry_is_the_highest_id(self, harness: BookieHarness) -> None:
        await add_all(harness, [0, 5, 3])
        assert await read(harness, LAST_ENTRY) == (Status.OK, 5, [entry_of(5)])

    async def test_read_stops_at_the_first_missing_entry(self, harness: BookieHarness) -> None:
        await add_all(harness, [0, 1, 2, 4])
        entries = [entry_of(entry_id) for entry_id in (0, 1, 2)]
        assert await read(harness, 0) == (Status.OK, 0, entries)
        assert await read(harness, 1) == (Status.OK, 1, entries[1:])
        assert (await read(harness, 3))[0] is Status.NO_ENTRY
        assert await read(harness, 4) == (Status.OK, 4, [entry_of(4)])

    async def test_read_keeps_to_its_count(self, harness: BookieHarness) -> None:
        await add_all(harness, range(10))
        assert (await read(harness, 2, 3))[2] == [entry_of(entry_id) for entry_id in (2, 3, 4)]

    async def test_read_keeps_to_its_bytes_but_gives_one(self, harness: BookieHarness) -> None:
        await add_all(harness, range(10))
        size = len(entry_of(0))
        assert (await read(harness, 0, 10, 1))[2] == [entry_of(0)]
        assert (await read(harness, 0, 10, size * 3 - 1))[2] == [entry_of(0), entry_of(1)]

    async def test_ids_may_come_in_any_order(self, harness: BookieHarness) -> None:
        assert all_ok(await add_all(harness, [9, 2, 4, 3, 100]), 5)
        assert (await read(harness, 2))[2] == [entry_of(entry_id) for entry_id in (2, 3, 4)]
        assert (await read(harness, 100))[2] == [entry_of(100)]

    async def test_the_last_write_of_an_id_wins(self, harness: BookieHarness) -> None:
        await add_all(harness, [0, 1])
        sink = Adds()
        add(harness.bookie, sink, 0, size=50)
        add(harness.bookie, sink, 1, size=60)
        await harness.settle()
        assert all_ok(sink.by_entry, 2)
        second = [entry_of(0, 50), entry_of(1, 60)]
        assert (await read(harness, 0))[2] == second
        await harness.restart()
        assert (await read(harness, 0))[2] == second

    async def test_ledgers_do_not_mix(self, harness: BookieHarness) -> None:
        await add_all(harness, [0, 1])
        await add_all(harness, [0], ledger_id=LEDGER + 1)
        entries = [entry_of(0, ledger_id=LEDGER + 1)]
        assert await read(harness, 0, ledger_id=LEDGER + 1) == (Status.OK, 0, entries)
        assert len((await read(harness, 0))[2]) == 2

    async def test_priority_changes_no_result(self, harness: BookieHarness) -> None:
        assert all_ok(await add_all(harness, [0], flags=HIGH_PRIORITY), 1)
        assert (await read(harness, 0, flags=HIGH_PRIORITY))[2] == [entry_of(0)]

    # ---- master key ----

    async def test_the_first_key_is_the_ledgers_key(self, harness: BookieHarness) -> None:
        await add_all(harness, [0])
        sink = Adds()
        add(harness.bookie, sink, 1, key=OTHER_KEY)
        add(harness.bookie, sink, 2, key=OTHER_KEY, flags=RECOVERY_ADD)
        await harness.settle()
        assert set(sink.by_entry.values()) == {Status.UNAUTHORIZED}
        assert (await read(harness, 1))[0] is Status.NO_ENTRY

    async def test_the_key_outlives_a_restart(self, harness: BookieHarness) -> None:
        await add_all(harness, [0])
        await harness.restart()
        sink = Adds()
        add(harness.bookie, sink, 1, key=OTHER_KEY)
        await harness.settle()
        assert sink.by_entry == {1: Status.UNAUTHORIZED}

    async def test_a_fence_needs_the_key(self, harness: BookieHarness) -> None:
        await add_all(harness, [0])
        assert (await fence(harness, OTHER_KEY))[0] is Status.UNAUTHORIZED
        assert all_ok(await add_all(harness, [1]), 1)

    # ---- fencing ----

    async def test_a_fence_stops_adds(self, harness: BookieHarness) -> None:
        await add_all(harness, [0, 1])
        assert await fence(harness) == (Status.OK, 1, [entry_of(1)])
        assert await add_all(harness, [2]) == {2: Status.FENCED}
        assert (await read(harness, 2))[0] is Status.NO_ENTRY
        assert all_ok(await add_all(harness, [0], ledger_id=LEDGER + 1), 1)

    async def test_a_fence_may_come_with_any_read(self, harness: BookieHarness) -> None:
        await add_all(harness, [0, 1])
        assert (await read(harness, 0, 1, flags=FENCE, key=KEY))[0] is Status.OK
        assert await add_all(harness, [2]) == {2: Status.FENCED}

    async def test_fencing_twice_is_fencing(self, harness: BookieHarness) -> None:
        await add_all(harness, [0])
        assert await fence(harness) == await fence(harness)

    async def test_a_fence_of_an_unknown_ledger_holds(self, harness: BookieHarness) -> None:
        # A writer whose first entry is still under way must not get through after recovery has
        # found nothing here.
        assert (await fence(harness))[0] is Status.NO_ENTRY
        assert await add_all(harness, [0]) == {0: Status.FENCED}
        assert (await read(harness, 0))[0] is Status.NO_ENTRY
        await harness.restart()
        assert await add_all(harness, [0]) == {0: Status.FENCED}
        assert (await fence(harness, OTHER_KEY))[0] is Status.UNAUTHORIZED

    async def test_a_fence_outlives_a_restart(self, harness: BookieHarness) -> None:
        await add_all(harness, [0])
        await fence(harness)
        await harness.restart()
        assert await add_all(harness, [1]) == {1: Status.FENCED}
        assert await read(harness, 0) == (Status.OK, 0, [entry_of(0)])

    async def test_recovery_adds_pass_a_fence(self, harness: BookieHarness) -> None:
        await add_all(harness, [0])
        await fence(harness)
        assert all_ok(await add_all(harness, [1, 2], flags=RECOVERY_ADD), 2)
        assert len((await read(harness, 0))[2]) == 3
        assert await add_all(harness, [3]) == {3: Status.FENCED}

    async def test_recovery_adds_need_no_fence(self, harness: BookieHarness) -> None:
        # Re-replication writes to bookies that have never heard of the ledger.
        assert all_ok(await add_all(harness, [4], flags=RECOVERY_ADD), 1)
        assert (await read(harness, 4))[2] == [entry_of(4)]

    async def test_no_add_is_acked_behind_the_back_of_a_fence(self, harness: BookieHarness) -> None:
        # The old writer's adds are under way while recovery fences: what it hears is OK must be
        # what recovery sees, and nothing that it sends later may be OK.
        before, after, reads = Adds(), Adds(), Reads()
        for entry_id in range(5):
            add(harness.bookie, before, entry_id)
        harness.bookie.read(LEDGER, LAST_ENTRY, 1, MAX_BYTES, FENCE, KEY, reads, 0)
        for entry_id in range(5, 8):
            add(harness.bookie, after, entry_id)
        await harness.settle()
        assert set(after.by_entry.values()) == {Status.FENCED}
        ((_, status, last, _),) = reads.rows
        acked = [entry_id for entry_id, end in before.by_entry.items() if end is Status.OK]
        if acked:
            assert status is Status.OK
            assert last >= max(acked)

    # ---- durability ----

    async def test_what_was_acked_outlives_a_restart(self, harness: BookieHarness) -> None:
        assert all_ok(await add_all(harness, range(100)), 100)
        assert all_ok(await add_all(harness, range(10), ledger_id=LEDGER + 1), 10)
        await harness.restart()
        entries = [entry_of(entry_id) for entry_id in range(100)]
        assert (await read(harness, 0, 1000))[2] == entries
        assert (await read(harness, LAST_ENTRY, ledger_id=LEDGER + 1))[1] == 9
        assert all_ok(await add_all(harness, [100]), 1)
        await harness.restart()
        assert (await read(harness, 100))[2] == [entry_of(100)]

    # ---- back-pressure ----

    async def test_a_flood_ends_writable_and_settling_brings_it_back(
        self, harness: BookieHarness
    ) -> None:
        bookie, sink, calls = harness.bookie, Adds(), list[bool]()
        count = self._flood(harness, sink)
        assert not bookie.writable
        bookie.when_writable(lambda: calls.append(bookie.writable))
        assert calls == []
        await harness.settle()
        assert bookie.writable
        assert calls == [True]
        assert len(sink.by_entry) == count
        await harness.settle()
        assert calls == [True]

    async def test_adds_in_spite_of_it_are_taken_or_refused(self, harness: BookieHarness) -> None:
        sink = Adds()
        count = self._flood(harness, sink)
        for entry_id in range(count, count + 20):
            add(harness.bookie, sink, entry_id, size=1000)
        await harness.settle()
        ends = sink.by_entry
        assert len(ends) == count + 20
        assert set(ends.values()) <= {Status.OK, Status.TOO_MANY_REQUESTS}
        assert ends[0] is Status.OK

    async def test_when_writable_is_called_soon_if_it_is(self, harness: BookieHarness) -> None:
        calls: list[bool] = []
        assert harness.bookie.writable
        harness.bookie.when_writable(lambda: calls.append(True))
        assert calls == []
        await harness.settle()
        assert calls == [True]

    @staticmethod
    def _flood(harness: BookieHarness, sink: Adds) -> int:
        size = max(1000, harness.flood_bytes // 50)
        count = harness.flood_bytes // size + 1
        for entry_id in range(count):
            add(harness.bookie, sink, entry_id, size=size)
        return count
