"""When all works again: every ledger must close, every entry be read; then copies are compared."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from magnetar_ledger.client import LedgerClient
from magnetar_ledger.connect import connect_with
from magnetar_ledger.digest import EntryDigest, length_of
from magnetar_ledger.errors import DigestMismatchError, LedgerError
from magnetar_ledger.striping import Quorum, segment_index
from magnetar_metadata.ledger_metadata import LedgerMetadata
from magnetar_proto.bookie import Status
from magnetar_storage.engine import BookieEngine

from tests.sim.ledgers.clients import CONFIG, PASSWORD, network_config

if TYPE_CHECKING:
    from tests.sim.ledgers.world import World

HEAL_LIMIT_S: Final = 120.0
RETRY_S: Final = 0.5


class Auditor:
    """A client of its own, on a node of its own."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._history = world.history
        self._node = world.sim.node("auditor")
        self._last_error: LedgerError | None = None

    async def run(self) -> None:
        """Check everything; what is wrong ends the run."""
        world, waiting = self._world, "every ledger to close"
        for machine in world.writers:  # they write no more, and leave their ledgers open
            machine.kill(silently=False)
        session = world.session(self._node)
        try:
            async with (
                asyncio.timeout(HEAL_LIMIT_S),
                connect_with(
                    session,
                    config=CONFIG,
                    network_config=network_config(world.sim.rng("auditor")),
                    clock=self._node.clock,
                    network=self._node.network,
                    rng=self._node.rng,
                ) as client,
            ):
                # Scenario: a writer's create is on its way when it is killed, and reaches the
                # store when the first ledger is read (seed 1000588).
                read: set[int] = set()
                while unread := [each for each in self._history.ledgers if each not in read]:
                    waiting = f"ledger {unread[0]} to close and be read"
                    await self._close_and_read(client, unread[0])
                    read.add(unread[0])
                waiting = "the bookies to be up"
                while not all(bookie.serving for bookie in world.bookies):
                    await asyncio.sleep(RETRY_S)
        except TimeoutError:
            self._history.wrong(f"{HEAL_LIMIT_S:.0f} s are not enough for {waiting}")
        for ledger_id in read:
            await self._compare(ledger_id)

    async def _close_and_read(self, client: LedgerClient, ledger_id: int) -> None:
        done = False
        while not done:
            try:
                reader = await client.open(ledger_id, password=PASSWORD, recover=True)
                self._history.opened(ledger_id, reader.metadata)
                entry_id = 0
                while entry_id <= reader.last_add_confirmed:
                    payloads = await reader.read(entry_id, 50, 50_000)
                    self._history.entries_read(ledger_id, entry_id, payloads)
                    entry_id += len(payloads)
                done = True
            except LedgerError as error:
                self._last_error = error
                await asyncio.sleep(RETRY_S)

    async def _compare(self, ledger_id: int) -> None:
        """Each entry is on its ack quorum of the bookies that metadata names, and is the same on
        all that have it. What bits turned over have taken is no copy and no other one."""
        metadata = self._history.ledgers[ledger_id].metadata
        assert metadata is not None
        assert metadata.closed
        digest = EntryDigest.of(metadata.digest_type, metadata.password)
        quorum = Quorum.of(metadata)
        for entry_id in range(metadata.last_entry_id + 1):
            bookies = _holders(metadata, quorum, entry_id)
            found = [await self._copy(name, ledger_id, entry_id, digest) for name in bookies]
            copies = [copy for copy in found if copy is not None]
            if len({copy for copy in copies if copy}) > 1:
                self._history.wrong(f"copies of {ledger_id}:{entry_id} on {bookies} differ")
            if len(copies) < quorum.ack_quorum:
                self._history.wrong(
                    f"{ledger_id}:{entry_id} is on {len(copies)} of {bookies}, {metadata}"
                )

    async def _copy(
        self, name: str, ledger_id: int, entry_id: int, digest: EntryDigest
    ) -> tuple[bytes, int] | tuple[()] | None:
        """Payload and length of a copy; () if it is damaged; None if there is none."""
        process = next(each.process for each in self._world.bookies if each.name == name)
        assert process is not None
        status, entry = await read_one(process.engine, ledger_id, entry_id)
        if status in (Status.NO_ENTRY, Status.NO_LEDGER):
            return None
        if status is not Status.OK:
            return ()
        try:
            return digest.payload_of(entry, ledger_id, entry_id), length_of(entry)
        except DigestMismatchError:
            self._history.wrong(f"{name} serves {ledger_id}:{entry_id} with a wrong digest")


def _holders(metadata: LedgerMetadata, quorum: Quorum, entry_id: int) -> list[str]:
    segment = metadata.segments[segment_index(metadata.segments, entry_id)]
    return [segment.bookies[place] for place in quorum.write_set(entry_id)]


class _ReadEnd:
    """The sink of a single read."""

    def __init__(self) -> None:
        self.ended: asyncio.Future[tuple[Status, bytes]]
        self.ended = asyncio.get_running_loop().create_future()

    def read_completed(
        self, _context: int, status: Status, _first: int, entries: Sequence[bytes]
    ) -> None:
        self.ended.set_result((status, entries[0] if entries else b""))


async def read_one(engine: BookieEngine, ledger_id: int, entry_id: int) -> tuple[Status, bytes]:
    """Ask a bookie itself for an entry."""
    sink = _ReadEnd()
    engine.read(ledger_id, entry_id, 1, 1 << 20, 0, b"", sink, 0)
    return await sink.ended
