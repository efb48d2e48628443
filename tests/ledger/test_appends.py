"""Appends that can be awaited."""

import asyncio

import pytest
from magnetar_ledger.appends import Appends
from magnetar_ledger.config import LedgerClientConfig
from magnetar_ledger.errors import LedgerClosedError, LedgerFencedError

from tests.ledger.cluster import PASSWORD, Cluster, payload
from tests.ledger.virtual_time import run, turns


def test_appends_end_in_order_with_their_ids() -> None:
    async def main() -> None:
        cluster = Cluster()
        writer, _ = await cluster.writer()
        log = Appends(writer)
        ids = await asyncio.gather(*(log.append(payload(n)) for n in range(50)))
        assert ids == list(range(50))
        assert await log.append(b"") == 50

    run(main())


def test_a_fence_fails_what_is_pending_and_what_comes_later() -> None:
    async def main() -> None:
        cluster = Cluster()
        writer, _ = await cluster.writer()
        log = Appends(writer)
        await log.append(payload(0))
        await cluster.client(seed=2).open(writer.ledger_id, password=PASSWORD, recover=True)
        for _ in range(2):
            with pytest.raises(LedgerFencedError):
                await log.append(b"too late")

    run(main())


def test_who_is_cancelled_does_not_disturb_the_others() -> None:
    async def main() -> None:
        cluster = Cluster()
        writer, _ = await cluster.writer()
        log = Appends(writer)
        cluster.hold()
        first, second = (asyncio.ensure_future(log.append(payload(n))) for n in range(2))
        await turns()
        first.cancel()
        cluster.hold(False)
        for bookie in cluster.bookies.values():
            bookie.run_all()
        assert await second == 1
        assert first.cancelled()

    run(main())


def test_appends_wait_while_too_much_is_pending() -> None:
    async def main() -> None:
        cluster = Cluster(config=LedgerClientConfig(max_pending_bytes=100))
        writer, _ = await cluster.writer()
        log = Appends(writer)
        cluster.hold()
        appends = [asyncio.ensure_future(log.append(b"x" * 60)) for _ in range(5)]
        await turns(30)
        assert writer.entries_pushed < 5
        while not all(append.done() for append in appends):
            for bookie in cluster.bookies.values():
                bookie.run_all()
            await turns()
        assert [append.result() for append in appends] == list(range(5))

    run(main())


def test_an_append_to_a_writer_that_has_ended_fails_though_a_bookie_takes_nothing() -> None:
    """It went round and round: not writable, and called back at once."""

    async def main() -> None:
        cluster = Cluster()
        writer, _ = await cluster.writer()
        log = Appends(writer)
        cluster.ensemble(writer)[2].writable = False
        waiting = asyncio.ensure_future(log.append(payload(0)))
        await turns()
        await writer.close()
        late = asyncio.ensure_future(log.append(payload(1)))
        await turns()
        for append in (waiting, late):
            assert isinstance(append.exception(), LedgerClosedError)

    run(main())
