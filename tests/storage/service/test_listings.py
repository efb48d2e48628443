"""Lists of entries over the wire: one after another, bounded."""

import asyncio
from collections.abc import Callable, Iterable
from struct import unpack_from

from magnetar_proto.bookie import Status
from magnetar_proto.bookkeeper.requests import ListEntriesRequest
from magnetar_proto.bookkeeper.responses import ListEntriesResponse
from magnetar_runtime.scope import TaskScope
from magnetar_storage.service.limits import ServiceLimits
from magnetar_storage.service.listings import Listings

from tests.storage.service.peer import LEDGER, VERSION_3, Peer, World, add


async def listed(world: World, peer: Peer, ledger_id: int = LEDGER) -> ListEntriesResponse:
    peer.send(ListEntriesRequest(5, ledger_id))
    while world.context.listings.busy:
        await asyncio.sleep(0)
    await world.settle()
    (answer,) = peer.received()
    assert isinstance(answer, ListEntriesResponse)
    assert (answer.txn_id, answer.ledger_id) == (5, ledger_id)
    return answer


async def test_a_ledger_is_listed_in_bookkeepers_form(world: World, peer: Peer) -> None:
    await peer.ask(*(add(n, VERSION_3) for n in (0, 1, 3, 4, 6, 7)))
    answer = await listed(world, peer)
    assert answer.status is Status.OK
    assert answer.availability is not None
    assert unpack_from(">ii", answer.availability) == (0, 1)
    assert unpack_from(">qqii", answer.availability, 64) == (0, 6, 2, 3)


async def test_an_unknown_ledger_is_told(world: World, peer: Peer) -> None:
    assert (await listed(world, peer, 99)).status is Status.NO_LEDGER


class Source:
    """Lists when it is let."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.gate = asyncio.Event()

    async def list_entries(self, ledger_id: int, feed: Callable[[Iterable[int]], None]) -> Status:
        self.asked.append(ledger_id)
        await self.gate.wait()
        feed(range(0, 2000, 2))  # one group
        feed([3000 + n * n for n in range(ledger_id)])  # no two alike
        return Status.OK


async def test_one_at_a_time_and_too_many_are_refused() -> None:
    source, ends, scope = Source(), list[tuple[int, Status]](), TaskScope()
    listings = Listings(source.list_entries, ServiceLimits(max_waiting_listings=2), scope)
    for n in range(4):
        listings.list(n, lambda status, _, n=n: ends.append((n, status)))  # type: ignore[misc]
        await asyncio.sleep(0)
    assert source.asked == [0]
    assert ends == [(3, Status.TOO_MANY_REQUESTS)]
    source.gate.set()
    while listings.busy:
        await asyncio.sleep(0)
    assert ends[1:] == [(n, Status.OK) for n in range(3)]
    await scope.close()


async def test_a_list_that_does_not_fit_is_refused() -> None:
    source, ends, scope = Source(), list[Status](), TaskScope()
    source.gate.set()
    limits = ServiceLimits(max_listing_bytes=64 + 24 * 20)
    listings = Listings(source.list_entries, limits, scope)
    for size in (10, 100, 10):
        listings.list(size, lambda status, _: ends.append(status))
    while listings.busy:
        await asyncio.sleep(0)
    assert ends == [Status.OK, Status.BAD_REQUEST, Status.OK]
    await scope.close()


async def test_the_end_of_the_service_ends_them() -> None:
    source, ends, scope = Source(), list[Status](), TaskScope()
    listings = Listings(source.list_entries, ServiceLimits(), scope)
    listings.list(1, lambda status, _: ends.append(status))
    listings.list(2, lambda status, _: ends.append(status))
    await asyncio.sleep(0)
    await scope.close()
    assert ends == []
