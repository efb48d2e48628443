"""Sends entries to an ensemble and reports in order what is confirmed: the shell of QuorumCore."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from magnetar_metadata.ledger_metadata import Segment
from magnetar_proto.bookie import Bookie, Status

from magnetar_ledger.client_tools import ClientTools
from magnetar_ledger.ensemble_change import ChangingWriter, EnsembleChange
from magnetar_ledger.errors import LedgerClosedError, LedgerError
from magnetar_ledger.quorum_core import QuorumCore

_TICKS_PER_TIMEOUT = 4


class WriterSink(Protocol):
    """Takes what becomes of a writer's entries."""

    def entries_confirmed(self, first_entry_id: int, count: int) -> None:
        """These entries are on an ack quorum, and all before them. Calls come in id order."""

    def writer_failed(self, error: LedgerError) -> None:
        """The writer has ended, once: entries not confirmed may be in the ledger or not."""


class QuorumWriter(ChangingWriter):
    """Entries on their way to the bookies of one ledger, on one loop."""

    sink: WriterSink

    def __init__(
        self,
        core: QuorumCore,
        master_key: bytes,
        flags: int,
        tools: ClientTools,
    ) -> None:
        self.ledger_id = core.ledger_id
        self._core = core
        self._master_key = master_key
        self._flags = flags
        self._tools = tools
        self._ended: LedgerError | None = None
        self._change = EnsembleChange(self, core, tools)
        self._writable_callbacks: list[Callable[[], None]] = []
        self._awaited_bookie: Bookie | None = None  # that will call `_bookie_writable`
        self._replicas = [_Replica(self, i) for i in range(core.quorum.ensemble_size)]
        self._live: list[_Replica] = []  # whose places have not failed
        self._routes: list[tuple[_Replica, ...]] = []
        self._build_routes()
        self._marks = [core.last_pushed] * _TICKS_PER_TIMEOUT
        self._timer = self._start_timer()

    @property
    def last_add_confirmed(self) -> int:
        return self._core.last_add_confirmed

    @property
    def length(self) -> int:
        """Payload bytes up to the last confirmed entry."""
        return self._core.confirmed_length

    @property
    def entries_pushed(self) -> int:
        return self._core.last_pushed + 1

    @property
    def writable(self) -> bool:
        """False while more bytes wait than this writer or one of its bookies wants.

        True once the writer has ended: who waits is to hear of it from `add`.
        """
        if self._ended is not None:
            return True
        core = self._core
        if core.length - core.confirmed_length > self._tools.config.max_pending_bytes:
            return False
        return all(replica.bookie.writable for replica in self._live)

    def when_writable(self, callback: Callable[[], None]) -> None:
        """Call back once, on the loop, when `writable` has become true again or the writer ended.

        Never inside the call; soon if it is true already.
        """
        self._writable_callbacks.append(callback)
        if len(self._writable_callbacks) == 1:
            self._await_writable()

    def add(self, payload: bytes) -> int:
        """Append an entry and return its id. What becomes of it is told to `sink`.

        Raises:
            LedgerClosedError: or what ended this writer.
        """
        return self.add_all((payload,))

    def add_all(self, payloads: Sequence[bytes]) -> int:
        """`add` for as many as there are at once, at least one, at a fraction of the cost of each.

        Returns:
            The id of the first one; the others follow on.
        """
        if self._ended is not None:
            raise self._ended.with_traceback(None)  # else each raise would lengthen it
        assert payloads
        first = self._core.last_pushed + 1
        self._send(first, self._core.push(payloads), payloads)
        return first

    def _send(self, first: int, headers: Sequence[bytes], payloads: Sequence[bytes]) -> None:
        """Hand entries that follow on to the bookies of their write sets."""
        routes, quorum = self._routes, self._core.quorum
        if quorum.write_quorum == quorum.ensemble_size:  # every bookie gets every entry
            for replica in routes[0]:
                replica.send(range(first, first + len(headers)), headers, payloads)
            return
        shares: dict[_Replica, list[int]] = {}
        for place in range(len(headers)):
            for replica in routes[(first + place) % len(routes)]:
                shares.setdefault(replica, []).append(place)
        for replica, places in shares.items():
            replica.send(
                [first + place for place in places],
                [headers[place] for place in places],
                [payloads[place] for place in places],
            )

    def _end(self, error: LedgerError) -> None:
        """Take no more entries and drop those pending; the first call counts."""
        if self._ended is not None:
            return
        pending = self._stop(error)
        if pending or not isinstance(error, LedgerClosedError):
            self.sink.writer_failed(error)
        self._call_writable()

    def _stop(self, error: LedgerError) -> int:
        """End without telling anybody; returns how many entries were pending."""
        self._ended = error
        self._timer.cancel()
        self._change.stop()
        for replica in self._replicas:
            replica.active = False
        return self._core.stop()

    def _entries_acked(self, index: int, entry_ids: Sequence[int]) -> None:
        if count := self._core.acked(index, entry_ids):
            self._report_confirmed(count)

    def _report_confirmed(self, count: int) -> None:
        # Callbacks last: they may add entries.
        first = self._core.last_add_confirmed - count + 1
        self.sink.entries_confirmed(first, count)
        if self._writable_callbacks:
            self._await_writable()

    def _replica_failed(self, index: int, status: Status) -> None:
        known = index in self._core.failed  # further entries of the same failure
        if fatal := self._core.replica_failed(index, status) or self._client_ended():
            self._end(fatal)
            return
        if known:
            return
        self._tools.answered(self._core.ensemble[index], status)
        self._build_routes()
        self._change.place_failed()
        if self._writable_callbacks:
            self._await_writable()  # the bookie that held us up may be gone

    def _client_ended(self) -> LedgerError | None:
        """Why a writer that was left open by its client must end: nobody changes its ensemble."""
        scope, client = self._tools.scope, f"the client that writes ledger {self.ledger_id}"
        if scope.failure is not None:
            return LedgerError(f"{client} has broken down: {scope.failure!r}")
        return LedgerClosedError(f"{client} was closed") if scope.closed else None

    def _replicas_given_up(self, places: Collection[int]) -> None:
        for index in places:
            self._replicas[index].active = False

    def _segment_in_force(self, segment: Segment, replaced: Collection[int]) -> None:
        core = self._core
        core.ensemble_changed(segment, replaced)
        for index in sorted(replaced):
            self._replicas[index] = replica = _Replica(self, index)
            if entry_ids := core.entries_for(index):
                replica.send(entry_ids, *core.entries(entry_ids))
        self._build_routes()
        self._marks = [core.last_add_confirmed] * _TICKS_PER_TIMEOUT  # all pending: a new time
        self._thaw()
        if self._writable_callbacks:
            self._await_writable()

    def _thaw(self) -> None:
        if count := self._core.thaw():
            self._report_confirmed(count)

    def _build_routes(self) -> None:
        # A failed place gets its entries when a new bookie stands there.
        core = self._core
        self._live = [r for i, r in enumerate(self._replicas) if i not in core.failed]
        self._routes = [
            tuple(self._replicas[i] for i in core.quorum.write_set(e) if i not in core.failed)
            for e in range(core.quorum.ensemble_size)
        ]

    def _start_timer(self) -> asyncio.TimerHandle:
        tick_ms = self._tools.config.add_timeout_ms / _TICKS_PER_TIMEOUT
        return asyncio.get_running_loop().call_later(tick_ms / 1000, self._tick)

    def _tick(self) -> None:
        # Entries up to the oldest mark were pushed a whole timeout ago. One timer and a few marks
        # for all entries instead of a timer for each: it fires up to a tick late.
        if error := self._client_ended():
            self._end(error)
            return
        overdue = self._marks.pop(0)
        self._marks.append(self._core.last_pushed)
        self._timer = self._start_timer()
        if not self._core.failed:
            self._change.calm()
        for index in sorted(self._core.lagging(overdue)):
            if self._ended is None:
                self._replica_failed(index, Status.TIMEOUT)

    def _await_writable(self) -> None:
        loop = asyncio.get_running_loop()
        if self.writable:
            loop.call_soon(self._call_writable)
            return
        for replica in self._live:
            if not replica.bookie.writable:
                if replica.bookie is not self._awaited_bookie:
                    self._awaited_bookie = replica.bookie
                    replica.bookie.when_writable(self._bookie_writable)
                    self._start_patience(replica)
                return
        # Else this writer's own bytes are too many: the next confirmed entries look again.

    def _start_patience(self, replica: "_Replica") -> None:
        patience_s = self._tools.config.unwritable_bookie_timeout_ms / 1000
        asyncio.get_running_loop().call_later(patience_s, self._held_up, replica)

    def _held_up(self, replica: "_Replica") -> None:
        """A bookie has taken nothing for long. If it alone is behind, it must not hold us up."""
        waits = self._awaited_bookie is replica.bookie and not replica.bookie.writable
        if self._ended is not None or not replica.active or not waits:
            return
        core = self._core
        if core.last_add_confirmed == core.last_pushed and core.can_lose(replica.index):
            self._awaited_bookie = None
            self._replica_failed(replica.index, Status.TIMEOUT)
        else:
            self._start_patience(replica)

    def _bookie_writable(self) -> None:
        self._awaited_bookie = None
        if self._writable_callbacks:
            self._await_writable()

    def _call_writable(self) -> None:
        callbacks, self._writable_callbacks = self._writable_callbacks, []
        for callback in callbacks:
            callback()


class _Replica:
    """A place of the ensemble with the bookie that stands there now; the sink of its answers."""

    __slots__ = ("_writer", "active", "bookie", "index")

    def __init__(self, writer: QuorumWriter, index: int) -> None:
        self._writer = writer
        self.index = index
        self.active = True  # false when replaced: what it answers then counts for nothing
        self.bookie = writer._tools.bookies.bookie(writer._core.ensemble[index])

    def send(
        self, entry_ids: Sequence[int], headers: Sequence[bytes], payloads: Sequence[bytes]
    ) -> None:
        writer = self._writer
        self.bookie.add(
            writer.ledger_id, entry_ids, writer._master_key, headers, payloads, writer._flags, self
        )

    def adds_completed(self, entry_ids: Sequence[int], status: Status) -> None:
        if not self.active:
            return
        if status is Status.OK:
            self._writer._entries_acked(self.index, entry_ids)
        else:
            self._writer._replica_failed(self.index, status)
