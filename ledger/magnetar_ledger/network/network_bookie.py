"""A bookie behind the network, as `Bookie`: all ledgers share one connection."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

from magnetar_proto.bookie import LAST_ENTRY, AddSink, ForceDone, ReadSink, Status
from magnetar_proto.bookkeeper.requests import VERSION_2, VERSION_3
from magnetar_proto.bookkeeper.responses import AddedRun, Response
from magnetar_runtime.bugs import report_bug
from magnetar_runtime.network import Network
from magnetar_runtime.scope import TaskScope

from magnetar_ledger.errors import LedgerError
from magnetar_ledger.lac_keeper import LacDone
from magnetar_ledger.network.add_frames import AddFrames
from magnetar_ledger.network.calls import BookieCalls
from magnetar_ledger.network.config import BookieNetworkConfig
from magnetar_ledger.network.connection import BookieConnection
from magnetar_ledger.network.ends import AddsEnded, Ended, LacEnded, ReadEnded

_TICKS_PER_TIMEOUT: Final = 4

_MAX_GIVEN_UP: Final = 100_000
"""Calls that timed out on a connection; above it the bookie must be out of its mind."""

_LOST_BATCHES: Final = 2
"""So many connections lost at a first batch read tell that the bookie knows none."""

_log = logging.getLogger(__name__)

Address = tuple[str, int]


class NetworkBookie:
    """Connects at the first call and again after a loss. Its tasks live in `scope`.

    Args:
        address: where the bookie is now. Raises LedgerError or OSError if nobody knows.
        frames: shared with the other bookies that get the same entries.
    """

    def __init__(
        self,
        bookie_id: str,
        address: Callable[[], Awaitable[Address]],
        network: Network,
        scope: TaskScope,
        config: BookieNetworkConfig,
        frames: AddFrames | None = None,
    ) -> None:
        self.bookie_id = bookie_id
        self._address = address
        self._network = network
        self._scope = scope
        self._config = config
        self._loop = asyncio.get_running_loop()
        version = VERSION_2 if config.use_v2_wire_protocol else VERSION_3
        self._calls = BookieCalls(version, frames)
        self._connection: BookieConnection | None = None
        self._connecting = False
        self._closed = False
        self._resting_until = 0.0  # of the loop's time: no new connect before
        self._flushing = False
        self._batch_reads = config.use_batch_reads and config.use_v2_wire_protocol
        self._batch_read_known = False
        self.losses = 0  # connections
        self._batches_lost = 0  # connections that went instead of an answer to a first batch read
        self._writable_callbacks: list[Callable[[], None]] = []
        self._marks: list[int] = []
        self._chunks_at_marks: list[int] = []
        self._timer: asyncio.TimerHandle | None = None

    def add(
        self,
        ledger_id: int,
        entry_ids: Sequence[int],
        master_key: bytes,
        headers: Sequence[bytes],
        payloads: Sequence[bytes],
        flags: int,
        sink: AddSink,
    ) -> None:
        refusal = self._refusal()
        if refusal is None and self._calls.pending_bytes > self._config.hard_max_pending_add_bytes:
            refusal = Status.TOO_MANY_REQUESTS
        if refusal is not None:
            self._loop.call_soon(sink.adds_completed, entry_ids, refusal)
            return
        self._calls.add(ledger_id, entry_ids, master_key, headers, payloads, flags, sink)
        self._flush_soon()

    def read(
        self,
        ledger_id: int,
        first_entry_id: int,
        max_entries: int,
        max_bytes: int,
        flags: int,
        master_key: bytes,
        sink: ReadSink,
        context: int,
    ) -> None:
        refusal = self._refusal()
        if refusal is None and self._calls.pending_reads >= self._config.max_pending_reads:
            refusal = Status.TOO_MANY_REQUESTS
        if refusal is not None:
            self._loop.call_soon(sink.read_completed, context, refusal, first_entry_id, ())
            return
        start = self._calls.read
        if first_entry_id != LAST_ENTRY and max_entries > 1 and self._batch_reads:
            start = self._calls.batch_read
        else:
            max_entries = min(max_entries, self._config.pipelined_read_entries)
        start(ledger_id, first_entry_id, max_entries, max_bytes, flags, master_key, sink, context)
        self._flush_soon()

    @property
    def keeps_lac(self) -> bool:
        return not self._config.use_v2_wire_protocol

    def write_lac(
        self, ledger_id: int, lac: int, master_key: bytes, body: bytes, done: LacDone
    ) -> None:
        """See `magnetar_ledger.lac_keeper.LacKeeper`."""
        if (refusal := self._refusal()) is not None:
            self._loop.call_soon(done, refusal, None)
            return
        self._calls.write_lac(ledger_id, lac, master_key, body, done)
        self._flush_soon()

    def read_lac(self, ledger_id: int, done: LacDone) -> None:
        """See `magnetar_ledger.lac_keeper.LacKeeper`."""
        if (refusal := self._refusal()) is not None:
            self._loop.call_soon(done, refusal, None)
            return
        self._calls.read_lac(ledger_id, done)
        self._flush_soon()

    @property
    def defers_sync(self) -> bool:
        """See `magnetar_proto.bookie.SyncDeferrer`, here and below."""
        return not self._config.use_v2_wire_protocol

    def force(self, ledger_id: int, done: ForceDone) -> None:
        if (refusal := self._refusal()) is not None:
            self._loop.call_soon(done, refusal)
            return
        self._calls.force(ledger_id, done)
        self._flush_soon()

    @property
    def writable(self) -> bool:
        return self._calls.pending_bytes <= self._config.max_pending_add_bytes

    def when_writable(self, callback: Callable[[], None]) -> None:
        if self.writable:
            self._loop.call_soon(callback)
        else:
            self._writable_callbacks.append(callback)

    def close(self) -> None:
        """Take no more calls; those under way end as UNAVAILABLE."""
        self._closed = True
        if self._connection is not None:
            self._connection.abort()
        elif not self._connecting:
            self._all_lost()

    def _refusal(self) -> Status | None:
        resting = self._connection is None and self._loop.time() < self._resting_until
        return Status.UNAVAILABLE if self._closed or resting else None

    def _flush_soon(self) -> None:
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        if self._connection is not None:
            if parts := self._calls.parts:
                self._calls.parts = []
                self._connection.write(parts)
            self._start_timer()
        elif not self._connecting and not self._calls.idle:
            self._connecting = True
            self._scope.spawn(self._connect(), name=f"connect to bookie {self.bookie_id}")

    async def _connect(self) -> None:
        protocol = BookieConnection(self._responded, self._connection_lost)
        try:
            async with asyncio.timeout(self._config.connect_timeout_ms / 1000):
                host, port = await self._address()
                await self._network.connect(lambda: protocol, host, port)
                if self._config.tls is not None:
                    timeout_ms = self._config.connect_timeout_ms
                    await protocol.secure(self._config.tls, host, timeout_ms)
            if not protocol.alive:
                raise ConnectionResetError("the connection was closed at once")
        except (OSError, TimeoutError, LedgerError) as error:
            _log.info("bookie %s cannot be reached: %s", self.bookie_id, error)
            self._rest()
            return
        except Exception as error:  # noqa: BLE001 - it must not cost the other bookies
            report_bug(f"bookie {self.bookie_id} cannot be reached", error)
            self._rest()
            return
        except BaseException:
            self._closed = True
            self._connecting = False
            self._all_lost()
            raise
        self._connecting = False
        self._connection = protocol
        if self._closed:
            protocol.abort()
        self._flush()

    def _rest(self) -> None:
        self._resting_until = self._loop.time() + self._config.reconnect_pause_ms / 1000
        self._connecting = False
        self._all_lost()

    def _responded(self, responses: Sequence[Response | AddedRun]) -> None:
        if self._calls.batches_under_way:
            before = self._calls.batches_under_way
            ends = self._calls.responded(responses)
            self._batch_read_known |= self._calls.batches_under_way < before
        else:
            ends = self._calls.responded(responses)
        if self._calls.parts:
            self._flush_soon()
        self._tell(ends)

    def _connection_lost(self, connection: BookieConnection) -> None:
        if self._connection is connection:  # else `_connect` will see that it is gone
            self._connection = None
            self.losses += 1  # the bookie may have ended, and lost its power
            self._suspect_batch_reads()
            self._all_lost()

    def _suspect_batch_reads(self) -> None:
        # A bookie that does not know batch reads closes the connection at the first one; so does
        # one that is killed just then, but hardly twice.
        if self._calls.batches_under_way and not self._batch_read_known:
            self._batches_lost += 1
            if self._batches_lost == _LOST_BATCHES:
                self._batch_reads = False

    def _all_lost(self) -> None:
        self._stop_timer()
        self._tell(self._calls.lost())

    def _tell(self, ends: Iterable[Ended]) -> None:
        for end in ends:
            if isinstance(end, AddsEnded):
                end.sink.adds_completed(end.entry_ids, end.status)
            elif isinstance(end, LacEnded):
                end.done(end.status, end.body)
            else:
                assert isinstance(end, ReadEnded)
                end.sink.read_completed(end.context, end.status, end.first_entry_id, end.entries)
        if (
            self._writable_callbacks
            and self._calls.pending_bytes <= self._config.max_pending_add_bytes // 2
        ):
            callbacks, self._writable_callbacks = self._writable_callbacks, []
            for callback in callbacks:
                self._loop.call_soon(callback)

    def _start_timer(self) -> None:
        if self._timer is None and not self._calls.idle:
            self._marks = [0] * (_TICKS_PER_TIMEOUT - 1) + [self._calls.next_number]
            assert self._connection is not None
            self._chunks_at_marks = [self._connection.chunks] * _TICKS_PER_TIMEOUT
            self._timer = self._next_tick()

    def _next_tick(self) -> asyncio.TimerHandle:
        tick_ms = self._config.request_timeout_ms / _TICKS_PER_TIMEOUT
        return self._loop.call_later(tick_ms / 1000, self._tick)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        connection = self._connection
        assert connection is not None
        overdue, chunks = self._marks.pop(0), self._chunks_at_marks.pop(0)
        self._marks.append(self._calls.next_number)
        self._chunks_at_marks.append(connection.chunks)
        self._timer = None if self._calls.idle else self._next_tick()
        ends = self._calls.overdue(overdue)
        silent = bool(ends) and chunks == connection.chunks  # nobody is there any more
        # Stuck: a response that never comes holds back, say, every fence of its ledger.
        if silent or self._calls.stuck or self._calls.given_up > _MAX_GIVEN_UP:
            connection.abort()
        self._tell(ends)
