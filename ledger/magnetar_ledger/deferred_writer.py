"""A writer that does not wait for syncs until it is asked to force: the shell of DeferredCore.

BookKeeper's writer with this flag ends with the first bookie that fails. This one keeps what was
not forced, so another bookie takes the place as it does in other ledgers.
"""

import asyncio
from collections import deque
from collections.abc import Collection, Sequence

from magnetar_metadata.ledger_metadata import Segment
from magnetar_proto.bookie import DEFERRED_SYNC, Bookie, Status

from magnetar_ledger.client_tools import ClientTools
from magnetar_ledger.deferred_core import DeferredCore
from magnetar_ledger.digest import EntryDigest
from magnetar_ledger.errors import LedgerError
from magnetar_ledger.force_round import ForceRound
from magnetar_ledger.metadata_update import VersionedMetadata
from magnetar_ledger.striping import Quorum
from magnetar_ledger.sync_deferrer import deferrer
from magnetar_ledger.writer import LedgerWriter


class DeferredWriter(LedgerWriter):
    """Its sink is told of entries that are written on an ack quorum, and not yet durable.

    `last_add_confirmed`, what readers see and where `close` ends the ledger, moves with `force`
    alone. When what was not forced is half of `max_pending_bytes`, it forces by itself.
    """

    _core: DeferredCore

    def __init__(self, ledger_id: int, known: VersionedMetadata, tools: ClientTools) -> None:
        self._round: ForceRound | None = None
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._losses: dict[int, int] = {}  # of the bookie at a place, before its unforced entries
        super().__init__(ledger_id, known, tools, DEFERRED_SYNC)

    @staticmethod
    def _make_core(
        ledger_id: int, quorum: Quorum, ensemble: Sequence[str], digest: EntryDigest
    ) -> DeferredCore:
        return DeferredCore(ledger_id, quorum, ensemble, digest)

    async def force(self) -> None:
        """Make durable what the sink was told of until now: it is confirmed then.

        Raises:
            LedgerError: what ended the writer.
        """
        if self._ended is not None:
            raise self._ended.with_traceback(None)
        through = self._core.written
        if through <= self._core.last_add_confirmed:
            return
        forced: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((through, forced))
        self._begin_round()
        await forced

    def _begin_round(self) -> None:
        core = self._core
        if self._round is None and core.written > core.last_add_confirmed:
            self._round = ForceRound(core.written, [replica.index for replica in self._live])
            self._go_on()

    def _go_on(self) -> None:
        """Ask who can be asked; end the round if all have answered."""
        force, core = self._round, self._core
        if force is None:
            return
        if force.asks:
            for place in force.ask_now(core.lagging(force.through)):
                self._force_place(place, force)
        if force.over and core.can_force(force.through):
            self._round = None
            self._report_confirmed(core.forced(force.through))
            if self._waiting or self._owes_force():
                self._begin_round()

    def _entries_carry_lac(self) -> bool:
        return False  # all there are may have been sent before the force

    def _force_place(self, place: int, force: ForceRound) -> None:
        replica = self._replicas[place]
        bookie = deferrer(replica.bookie)

        def done(status: Status) -> None:
            if not replica.active or self._round is not force:
                return
            if status is Status.OK and self._losses[place] != losses():
                status = Status.UNAVAILABLE  # what it had may be gone
            if status is Status.OK:
                force.answered(place)
                self._go_on()
            else:
                self._replica_failed(place, status)

        def losses() -> int:
            return -1 if bookie is None else bookie.losses

        if bookie is None:
            asyncio.get_running_loop().call_soon(done, Status.UNAVAILABLE)
        else:
            bookie.force(self.ledger_id, done)

    def _note_losses(self, place: int, bookie: Bookie) -> None:
        able = deferrer(bookie)
        self._losses[place] = -1 if able is None else able.losses

    def _send(self, first: int, headers: Sequence[bytes], payloads: Sequence[bytes]) -> None:
        if first == self._core.last_add_confirmed + 1:  # all before is durable
            for replica in self._live:
                self._note_losses(replica.index, replica.bookie)
        super()._send(first, headers, payloads)

    def _entries_acked(self, index: int, entry_ids: Sequence[int]) -> None:
        self._core.acked(index, entry_ids)
        self._tell_written()
        self._go_on()

    def _tell_written(self) -> None:
        core = self._core
        count = core.take_written()
        if not count:
            return
        if self._owes_force():
            self._begin_round()
        self.sink.entries_confirmed(core.written - count + 1, count)

    def _owes_force(self) -> bool:
        """Whether so much is not forced that it cannot wait until somebody asks."""
        unforced_bytes = self._core.length - self._core.confirmed_length
        return unforced_bytes > self._tools.config.max_pending_bytes // 2

    def _report_confirmed(self, count: int) -> None:
        last = self._core.last_add_confirmed
        while self._waiting and self._waiting[0][0] <= last:
            _, forced = self._waiting.popleft()
            if not forced.done():  # else whoever waited was cancelled
                forced.set_result(None)
        if self._writable_callbacks:
            self._await_writable()

    def _replica_failed(self, index: int, status: Status) -> None:
        super()._replica_failed(index, status)
        if self._round is not None:
            self._round.failed(index)
            self._go_on()

    def _segment_in_force(self, segment: Segment, replaced: Collection[int]) -> None:
        for place in replaced:  # before they are sent anything
            self._note_losses(place, self._tools.bookies.bookie(segment.bookies[place]))
        if self._round is not None:
            self._round.replaced(replaced)
        super()._segment_in_force(segment, replaced)

    def _thaw(self) -> None:
        super()._thaw()
        self._tell_written()
        self._go_on()

    def _stop(self, error: LedgerError) -> int:
        self._round = None
        waiting, self._waiting = self._waiting, deque()
        for _, forced in waiting:
            if not forced.done():
                forced.set_exception(error)
        return super()._stop(error)
