"""Which adds are taken, and when producers are told to wait. Pure but for one `call_soon`."""

import asyncio
from collections.abc import Callable, Sequence

from magnetar_proto.bookie import HIGH_PRIORITY, AddSink, Status

from magnetar_storage.config import BookieConfig
from magnetar_storage.counters import BookieCounters


class Admission:
    """The gate of an engine.

    Soft limits make `writable` false; what is added in spite of it is taken up to hard limits of
    twice as much, and refused above.

    Attributes:
        refusing: with what every ordinary add is refused now; None while they are taken.
        writable: producers may go on.
    """

    def __init__(
        self, config: BookieConfig, loop: asyncio.AbstractEventLoop, counters: BookieCounters
    ) -> None:
        self._loop = loop
        self._counters = counters
        self._half_bytes = config.half_cache_bytes
        self._queue_bytes = config.journal_queue_bytes
        self._state: Status | None = None
        self._takes_recovery = False
        self._overloaded = False
        self._callbacks: list[Callable[[], None]] = []
        self._refused: list[tuple[AddSink, Sequence[int], Status]] = []
        self.refusing: Status | None = None
        self.writable = True

    def set_state(self, state: Status | None, *, takes_recovery: bool = False) -> None:
        """Refuse adds with this status, whatever the load; None takes them again.

        Args:
            takes_recovery: those of high priority are taken all the same, up to the hard limits.
        """
        self._state = state
        self._takes_recovery = takes_recovery
        self.refusing = state
        if state is not None:
            # Who waits for room must come and hear that there will be none.
            self._set_writable(True)

    def measure(self, active_bytes: int, flushing: bool, waiting_bytes: int) -> None:
        """Look at the load: bytes in the active half, a flush under way, bytes for the journal."""
        half, queue = self._half_bytes, self._queue_bytes
        self._overloaded = active_bytes >= 2 * half or waiting_bytes >= 2 * queue
        if self._state is not None:
            return
        self.refusing = Status.TOO_MANY_REQUESTS if self._overloaded else None
        # Once stopped, wait until the queue is half empty: no stop and go at the limit.
        queue_full = waiting_bytes >= (queue if self.writable else queue // 2)
        cache_full = active_bytes >= half and (flushing or 2 * active_bytes >= 3 * half)
        self._set_writable(not queue_full and not cache_full)

    def refusal(self, flags: int) -> Status | None:
        """With what an add with these flags is refused now; None if it is taken."""
        if self.refusing is not None and self._takes_recovery and flags & HIGH_PRIORITY:
            return Status.TOO_MANY_REQUESTS if self._overloaded else None
        return self.refusing

    def when_writable(self, callback: Callable[[], None]) -> None:
        """See `magnetar_proto.bookie.Bookie.when_writable`."""
        if self.writable:
            self._loop.call_soon(callback)
        else:
            self._callbacks.append(callback)

    def refuse(self, sink: AddSink, entry_ids: Sequence[int], status: Status) -> None:
        """End adds with an error, behind the current call."""
        if not self._refused:
            self._loop.call_soon(self._tell_refused)
        self._refused.append((sink, entry_ids, status))

    def _set_writable(self, writable: bool) -> None:
        if writable and not self.writable:
            callbacks, self._callbacks = self._callbacks, []
            for callback in callbacks:
                self._loop.call_soon(callback)
        self.writable = writable

    def _tell_refused(self) -> None:
        refused, self._refused = self._refused, []
        batches: dict[tuple[int, Status], tuple[AddSink, list[int]]] = {}
        for sink, entry_ids, status in refused:
            self._counters.adds_refused += len(entry_ids)
            batches.setdefault((id(sink), status), (sink, []))[1].extend(entry_ids)
        for (_, status), (sink, ids) in batches.items():
            sink.adds_completed(ids, status)
