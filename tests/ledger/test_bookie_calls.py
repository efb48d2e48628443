"""A read ends once: with its answer or at its deadline."""

import asyncio
from collections.abc import Sequence

from magnetar_ledger.bookie_calls import read_bookie, start_read
from magnetar_proto.bookie import FENCE, Status

from tests.ledger.fake_bookie import FakeBookie, ReadCall
from tests.ledger.virtual_time import run, turns


def test_an_answer_in_time() -> None:
    async def main() -> None:
        bookie = FakeBookie()
        bookie.entries[1] = {0: b"zero", 1: b"one"}
        assert await read_bookie(bookie, 1, 0, 5, 100, 1000) == (Status.OK, [b"zero", b"one"])
        assert await read_bookie(bookie, 1, 2, 5, 100, 1000) == (Status.NO_ENTRY, [])

    run(main())


def test_the_deadline_comes_first_and_the_late_answer_is_dropped() -> None:
    async def main() -> None:
        bookie = FakeBookie()
        bookie.held = True
        ends: list[Status] = []

        def done(status: Status, entries: Sequence[bytes]) -> None:
            ends.append(status)

        start_read(bookie, 1, 0, 1, 1, flags=FENCE, master_key=b"k", timeout_ms=500, done=done)
        await asyncio.sleep(0.499)
        assert ends == []
        await asyncio.sleep(0.002)
        assert ends == [Status.TIMEOUT]
        (call,) = bookie.pending
        assert isinstance(call, ReadCall)
        assert (call.flags, call.master_key) == (FENCE, b"k")
        bookie.run(call)
        assert ends == [Status.TIMEOUT]

    run(main())


def test_a_cancelled_read_takes_no_answer() -> None:
    async def main() -> None:
        bookie = FakeBookie()
        bookie.held = True
        read = asyncio.ensure_future(read_bookie(bookie, 1, 0, 1, 1, 1000))
        await turns()
        read.cancel()
        await turns()
        bookie.run_all()
        await asyncio.sleep(2)
        assert read.cancelled()

    run(main())
