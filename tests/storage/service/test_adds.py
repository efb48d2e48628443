"""Adds over the wire: receipts, fences, keys, forces."""

from collections.abc import Sequence
from typing import Any

import pytest
from magnetar_proto.bookie import DEFERRED_SYNC, FENCE, HIGH_PRIORITY, RECOVERY_ADD, Status
from magnetar_proto.bookkeeper.requests import ForceLedgerRequest
from magnetar_proto.bookkeeper.responses import (
    AddResponse,
    ForceLedgerResponse,
    ReadResponse,
    WriteLacResponse,
)

from tests.storage.service.peer import (
    KEY,
    LEDGER,
    VERSION_2,
    VERSION_3,
    Peer,
    World,
    add,
    read,
    write_lac,
)

OTHER_KEY = b"\x02" * 20


@pytest.mark.parametrize("version", [VERSION_2, VERSION_3])
async def test_each_add_has_one_receipt_after_the_sync(
    world: World, peer: Peer, version: int
) -> None:
    world.box.journal_worker.holding = True
    txn_ids = [0] * 5 if version == VERSION_2 else [7, 9, 11, 13, 2**63]
    peer.send(*(add(entry_id, version, txn_ids[entry_id]) for entry_id in range(5)))
    for _ in range(10):
        await world.context.loop.run_in_executor(None, lambda: None)
    assert peer.received() == []
    world.box.journal_worker.release()
    await world.settle()
    expected = [AddResponse(version, txn_ids[n], Status.OK, LEDGER, n) for n in range(5)]
    assert peer.received() == expected


async def test_receipts_of_a_group_leave_in_one_write(world: World, peer: Peer) -> None:
    answers = await peer.ask(*(add(n // 2, ledger_id=5 + n % 2) for n in range(20)))
    assert len(answers) == 20
    assert len(peer.transport.writes) == 1


async def test_a_chunk_costs_the_bookie_one_call_per_ledger(world: World, peer: Peer) -> None:
    calls: list[tuple[int, int]] = []
    real = world.box.bookie.add

    def counting(ledger_id: int, entry_ids: list[int], *rest: object) -> None:
        calls.append((ledger_id, len(entry_ids)))
        real(ledger_id, entry_ids, *rest)

    world.box.bookie.add = counting
    await peer.ask(*(add(n // 2, ledger_id=5 + n % 2) for n in range(20)))
    assert calls == [(5, 10), (6, 10)]


@pytest.mark.parametrize("version", [VERSION_2, VERSION_3])
async def test_the_same_entry_twice_has_two_calls_and_two_receipts(
    world: World, peer: Peer, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Sequence[int]] = []
    real = world.box.bookie.add

    def noting(ledger_id: int, entry_ids: Sequence[int], *rest: Any) -> None:
        calls.append(entry_ids)
        real(ledger_id, entry_ids, *rest)

    monkeypatch.setattr(world.box.bookie, "add", noting)
    txn_ids = (0, 0) if version == VERSION_2 else (3, 4)
    answers = await peer.ask(add(0, version, txn_ids[0]), add(0, version, txn_ids[1]))
    assert answers == [AddResponse(version, t, Status.OK, LEDGER, 0) for t in txn_ids]
    assert [list(ids) for ids in calls] == [[0], [0]]


@pytest.mark.parametrize("version", [VERSION_2, VERSION_3])
async def test_a_wrong_key_is_refused_and_the_right_one_goes_on(peer: Peer, version: int) -> None:
    await peer.ask(add(0, version))
    answers = await peer.ask(add(1, version, key=OTHER_KEY), add(1, version), add(2, version))
    statuses = sorted((each.entry_id, each.status) for each in answers)
    assert statuses == [(1, Status.OK), (1, Status.UNAUTHORIZED), (2, Status.OK)]


async def test_a_key_of_another_length_begins_no_ledger(world: World, peer: Peer) -> None:
    answers = await peer.ask(add(0, VERSION_3, 1, key=b"short"))
    assert answers == [AddResponse(VERSION_3, 1, Status.UNAUTHORIZED, LEDGER, 0)]
    assert world.box.bookie.ledger_ids == []


@pytest.mark.parametrize("version", [VERSION_2, VERSION_3])
async def test_a_fenced_ledger_takes_recovery_adds_only(peer: Peer, version: int) -> None:
    await peer.ask(add(0, version))
    await peer.ask(read(-1, version, flags=FENCE, key=KEY))
    flags = RECOVERY_ADD | HIGH_PRIORITY
    answers = await peer.ask(add(1, version), add(1, version, flags=flags))
    statuses = {each.status for each in answers}
    assert statuses == {Status.FENCED, Status.OK}


async def test_a_fence_behind_adds_in_one_chunk_sees_them(peer: Peer) -> None:
    answers = await peer.ask(add(0), add(1), read(-1, flags=FENCE, key=KEY), add(2))
    (found,) = [each for each in answers if isinstance(each, ReadResponse)]
    assert found.entry is not None
    assert found.entry[8:16] == (1).to_bytes(8, "big")
    assert [each for each in answers if isinstance(each, AddResponse)] == [
        AddResponse(VERSION_2, 0, Status.FENCED, LEDGER, 2),
        AddResponse(VERSION_2, 0, Status.OK, LEDGER, 0),
        AddResponse(VERSION_2, 0, Status.OK, LEDGER, 1),
    ]


async def turns(world: World) -> None:
    for _ in range(10):
        await world.context.loop.run_in_executor(None, lambda: None)


async def test_a_deferred_add_is_answered_before_the_sync_and_a_force_after(
    world: World, peer: Peer
) -> None:
    world.box.journal_worker.holding = True
    peer.send(add(0, VERSION_3, 1, flags=DEFERRED_SYNC), ForceLedgerRequest(2, LEDGER))
    await turns(world)
    assert peer.received() == [AddResponse(VERSION_3, 1, Status.OK, LEDGER, 0)]
    assert peer.connection.pending_adds == 1
    world.box.journal_worker.release()
    await world.settle()
    assert peer.received() == [ForceLedgerResponse(2, Status.OK, LEDGER)]
    assert peer.connection.pending_adds == 0


async def test_a_force_waits_for_a_group_that_is_on_its_way(world: World, peer: Peer) -> None:
    world.box.journal_worker.holding = True
    peer.send(add(0, VERSION_3, 1, flags=DEFERRED_SYNC))
    await turns(world)
    assert peer.received() == [AddResponse(VERSION_3, 1, Status.OK, LEDGER, 0)]
    peer.send(ForceLedgerRequest(2, LEDGER))
    await turns(world)
    assert peer.received() == []
    world.box.journal_worker.release()
    await world.settle()
    assert peer.received() == [ForceLedgerResponse(2, Status.OK, LEDGER)]


async def test_a_force_of_another_connection_waits_for_all_that_the_ledger_has(
    world: World, peer: Peer
) -> None:
    world.box.journal_worker.holding = True
    peer.send(add(0, VERSION_3, 1, flags=DEFERRED_SYNC))
    other = world.peer()
    other.send(ForceLedgerRequest(2, LEDGER))
    await turns(world)
    assert other.received() == []
    world.box.journal_worker.release()
    await world.settle()
    assert other.received() == [ForceLedgerResponse(2, Status.OK, LEDGER)]


async def test_an_add_without_the_flag_beside_deferred_ones_waits_for_the_sync(
    world: World, peer: Peer
) -> None:
    world.box.journal_worker.holding = True
    peer.send(add(0, VERSION_3, 1), add(0, VERSION_3, 2, flags=DEFERRED_SYNC))
    await turns(world)
    assert peer.received() == [AddResponse(VERSION_3, 2, Status.OK, LEDGER, 0)]
    world.box.journal_worker.release()
    await world.settle()
    assert peer.received() == [AddResponse(VERSION_3, 1, Status.OK, LEDGER, 0)]


async def test_a_force_fails_where_a_deferred_add_was_lost(world: World, peer: Peer) -> None:
    await peer.ask(add(0, VERSION_3))
    world.box.disk.failing = "journal"
    answers = await peer.ask(add(1, VERSION_3, 1, flags=DEFERRED_SYNC))
    assert answers == [AddResponse(VERSION_3, 1, Status.OK, LEDGER, 1)]
    assert await peer.ask(ForceLedgerRequest(2, LEDGER)) == [
        ForceLedgerResponse(2, Status.IO_ERROR, LEDGER)
    ]
    world.box.disk.failing = ""


async def test_a_deferred_add_is_refused_as_any_other(peer: Peer) -> None:
    await peer.ask(add(0, VERSION_3))
    flags = DEFERRED_SYNC
    answers = await peer.ask(add(1, VERSION_3, 1, key=OTHER_KEY, flags=flags))
    assert answers == [AddResponse(VERSION_3, 1, Status.UNAUTHORIZED, LEDGER, 1)]
    await peer.ask(read(-1, VERSION_3, flags=FENCE, key=KEY))
    answers = await peer.ask(add(1, VERSION_3, 1, flags=flags))
    assert answers == [AddResponse(VERSION_3, 1, Status.FENCED, LEDGER, 1)]


async def test_a_force_of_an_unknown_ledger_is_ok(peer: Peer) -> None:
    assert await peer.ask(ForceLedgerRequest(2, 99)) == [ForceLedgerResponse(2, Status.OK, 99)]


async def test_nothing_is_kept_of_a_ledger_behind_its_last_receipt(peer: Peer) -> None:
    await peer.ask(*(add(0, ledger_id=n) for n in range(50)))
    assert peer.connection._adds._ledgers == {}
    assert peer.connection._adds.pending == 0


async def test_a_failed_journal_ends_adds_with_an_io_error(world: World, peer: Peer) -> None:
    await peer.ask(add(0))
    world.box.disk.failing = "journal"
    answers = await peer.ask(add(1))
    assert answers == [AddResponse(VERSION_2, 0, Status.IO_ERROR, LEDGER, 1)]
    world.box.disk.failing = ""


async def test_a_lac_is_kept_when_it_is_durable(world: World, peer: Peer) -> None:
    await peer.ask(add(0, VERSION_3))
    world.box.journal_worker.holding = True
    peer.send(write_lac(0, 5))
    await world.context.loop.run_in_executor(None, lambda: None)
    assert peer.received() == []
    assert peer.connection._adds.pending == 1
    world.box.journal_worker.release()
    await world.settle()
    assert peer.received() == [WriteLacResponse(5, Status.OK, LEDGER)]
    assert peer.connection._adds.pending == 0
    assert world.context.lacs.get(LEDGER) == 0


@pytest.mark.parametrize("key", [OTHER_KEY, b"short"])
async def test_a_lac_with_a_wrong_key_is_refused(peer: Peer, key: bytes) -> None:
    await peer.ask(add(0, VERSION_3))
    assert await peer.ask(write_lac(0, 5, key)) == [
        WriteLacResponse(5, Status.UNAUTHORIZED, LEDGER)
    ]
    assert peer.connection._adds.pending == 0


async def test_a_flood_of_lacs_is_held_as_one_of_adds(world: World) -> None:
    world = await World(world.box.directory / "held", max_pending_adds_per_connection=10).open()
    peer = world.peer()
    world.box.journal_worker.holding = True
    peer.send(*(write_lac(n) for n in range(11)))
    assert peer.transport.paused
    world.box.journal_worker.release()
    await world.settle()
    assert not peer.transport.paused
    assert len(peer.received()) == 11
    await world.box.bookie.close()
