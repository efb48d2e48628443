"""The way of an entry into the topic: the current ledger, and its replacement when it ends.

States: WRITING, adds go to the current ledger; REPLACING, adds wait while the next ledger is made;
RESTING, ledgers failed and adds fail for a while; STOPPED, adds fail for good.

A change of ledgers needs metadata. While that is away the current ledger goes on, full as it is.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from enum import IntEnum

from magnetar_runtime.scope import TaskScope

from magnetar_ledger.errors import (
    LedgerError,
    LedgerFencedError,
    ManagedLedgerFencedError,
)
from magnetar_ledger.managed import roll_over
from magnetar_ledger.managed.append_sinks import AppendSink, ConfirmedSink
from magnetar_ledger.managed.config import ManagedLedgerDeps
from magnetar_ledger.managed.ledger_chain import LedgerChain
from magnetar_ledger.managed.ledger_timer import LedgerTimer
from magnetar_ledger.managed.succession import Succession
from magnetar_ledger.managed.waiting_appends import WaitingAppends
from magnetar_ledger.writer import LedgerWriter

_log = logging.getLogger(__name__)


class State(IntEnum):
    WRITING = 0
    REPLACING = 1
    RESTING = 2
    STOPPED = 3


class Appender:
    """Appends in order: the order of adds is the order of entries and of completions."""

    sink: AppendSink

    def __init__(
        self,
        chain: LedgerChain,
        deps: ManagedLedgerDeps,
        scope: TaskScope,
        confirmed: ConfirmedSink,
    ) -> None:
        self._chain = chain
        self._deps = deps
        self._config = deps.config
        self._scope = scope
        self._confirmed = confirmed
        self._succession = Succession(chain, scope, deps.config)
        self._state = State.STOPPED
        self._error: LedgerError | None = None  # why there are no more adds, once STOPPED
        self._rest_error = LedgerError("not written yet")
        self._writer: LedgerWriter | None = None
        self._failed_writer: LedgerWriter | None = None
        self._pending: deque[bytes] = deque()  # sent to the current ledger
        self._waiting = WaitingAppends(  # for the next ledger
            deps.config.max_waiting_appends, deps.config.max_waiting_append_bytes
        )
        self._pushed_bytes = 0
        self._thresholds = roll_over.Thresholds(deps.config)
        self._failures = 0
        self._rest_until_ms = 0
        self._task: asyncio.Task[None] | None = None
        self._may_be_closed = False  # the list may say so of the current ledger
        self._is_ready = False  # metadata answered just now, and the next ledger is there
        self._timer = LedgerTimer(deps.clock, deps.config, self._time_passed)
        self._drained: list[asyncio.Future[None]] = []
        self._failing_soon = False
        self._writable_callbacks: list[Callable[[], None]] = []

    # Adding

    def add(self, payload: bytes) -> None:
        """Append an entry; what becomes of it is told to `sink`, never inside this call."""
        self.add_all((payload,))

    def add_all(self, payloads: Sequence[bytes]) -> None:
        """`add` for as many as there are at once, at a fraction of the cost of each."""
        limits = self._thresholds
        while payloads and not self._state:
            assert self._writer is not None
            # No more than fit; if the ledger may not end yet, no more is known to be too many. One
            # at least: a timer brings the limit back to a ledger that is above it and too young.
            room = max(1, limits.full_at_entry + 1 - self._writer.entries_pushed)
            now = payloads if len(payloads) <= room else payloads[:room]
            last = self._writer.add_all(now) + len(now) - 1
            self._pending += now
            self._pushed_bytes += sum(map(len, now))
            if last >= limits.full_at_entry or self._pushed_bytes >= limits.full_at_bytes:
                self._check_full(last + 1)
            payloads = payloads[len(now) :]
        for payload in payloads:
            self._add_later(payload)

    def _add_later(self, payload: bytes) -> None:
        self._waiting.append(payload)
        if self._state is State.RESTING and self._timer.now_ms() >= self._rest_until_ms:
            self._begin_replacing()
        elif self._state is not State.REPLACING:
            self._fail_waiting_soon()

    @property
    def writable(self) -> bool:
        """False while more waits than is good: producers should pause."""
        if self._state is State.WRITING:
            assert self._writer is not None
            return self._writer.writable
        return self._waiting.has_room

    def when_writable(self, callback: Callable[[], None]) -> None:
        """Call back once, on the loop, when `writable` has become true again. Never inside."""
        self._writable_callbacks.append(callback)
        if len(self._writable_callbacks) == 1:
            self._await_writable()

    def _await_writable(self) -> None:
        if not self._writable_callbacks:
            return
        if self.writable:
            asyncio.get_running_loop().call_soon(self._call_writable)
        elif self._state is State.WRITING and self._writer is not None:
            self._writer.when_writable(self._await_writable)

    def _call_writable(self) -> None:
        callbacks, self._writable_callbacks = self._writable_callbacks, []
        for callback in callbacks:
            callback()

    # What the current ledger tells (WriterSink)

    def entries_confirmed(self, first_entry_id: int, count: int) -> None:
        assert self._writer is not None
        pending = self._pending
        if count == len(pending):
            payloads = list(pending)
            pending.clear()
        else:
            payloads = [pending.popleft() for _ in range(count)]
        ledger_id, size_bytes = self._writer.ledger_id, sum(map(len, payloads))
        self._chain.ledgers.grow(count, size_bytes)
        self._failures = 0
        self._confirmed.entries_confirmed(ledger_id, first_entry_id, payloads, size_bytes)
        self.sink.entries_appended(ledger_id, first_entry_id, count)
        limits = self._thresholds
        if (
            first_entry_id + count >= limits.ahead_at_entry
            or self._pushed_bytes >= limits.ahead_at_bytes
        ):
            self._check_ahead()
        if self._state and not pending:
            self._pending_empty()

    def writer_failed(self, error: LedgerError) -> None:
        """The current ledger ended: what it did not confirm goes to the next, in order."""
        self._failed_writer, self._writer = self._writer, None
        self._timer.stop()
        if isinstance(error, LedgerFencedError):
            self.fence(ManagedLedgerFencedError(f"{self._chain.name}: {error}"))
        self._waiting.put_back(self._pending)
        self._pending.clear()
        self._failures += 1
        if self._state is State.STOPPED:
            self._pending_empty()
        elif self._failures >= self._config.append_tries:
            # An entry that no bookie takes must not use up ledgers for ever.
            self._rest(error)
        else:
            _log.warning("%s: %s; next ledger", self._chain.name, error)
            self._state = State.REPLACING
            self._replace_now()
        if isinstance(self._error, ManagedLedgerFencedError):
            self._confirmed.fenced(self._error)

    # Replacing the ledger

    async def start(self) -> None:
        """Make the first ledger of this owner. Raises LedgerError."""
        writer = await self._chain.create_ledger()
        try:
            await self._chain.switch_to(writer.ledger_id)
        except LedgerError:
            await self._succession.discard(writer)
            raise
        self._install(writer)

    def _check_full(self, entries: int) -> None:
        if roll_over.is_due(self._fill(entries), self._config):
            self._begin_replacing()
        else:
            # Full, but too young: the timer looks again when that may have changed.
            self._thresholds.disarm_full()

    def _begin_replacing(self) -> None:
        self._state = State.REPLACING
        self._timer.stop()
        if not self._pending:
            self._replace_now()

    def _pending_empty(self) -> None:
        if self._state is State.REPLACING:
            self._replace_now()
        elif self._state is State.STOPPED:
            self._fail_waiting_soon()
        for future in self._drained:
            if not future.done():
                future.set_result(None)
        self._drained.clear()

    def _replace_now(self) -> None:
        if self._task is None or self._task.done():
            self._task = self._scope.spawn(self._replace(), name=f"{self._chain.name} next ledger")

    async def _replace(self) -> None:
        """Change to the next ledger when the current one has nothing pending any more.

        Its entries must all be confirmed first: were it to fail later, they would come behind
        entries that were added after them.
        """
        try:
            if self._failed_writer is not None:
                # Scenario: an unconfirmed entry did reach bookies. Unless the ledger is closed
                # before the entry is sent again, an owner after us recovers both.
                await self._failed_writer.close()
                self._failed_writer = None
            if self._can_go_on and not self._is_ready:
                await self._succession.get_ready(self._config.roll_over_patience_ms)
            self._is_ready = False
            writer = await self._succession.next_writer()
            empty = await self._switch_to(writer)
        except (LedgerFencedError, ManagedLedgerFencedError) as error:
            fenced = ManagedLedgerFencedError(f"{self._chain.name}: {error}")
            self.fence(fenced)
            self._pending_empty()
            self._confirmed.fenced(fenced)
            return
        except LedgerError as error:
            if self._can_go_on:
                self._postpone()
            else:
                self._rest(error)
            return
        self._succession.close_behind(self._writer, empty)
        self._install(writer)

    @property
    def _can_go_on(self) -> bool:
        """Whether the current ledger may take more than it has."""
        return self._writer is not None and not self._may_be_closed

    async def _switch_to(self, writer: LedgerWriter) -> int | None:
        try:
            return await self._chain.switch_to(writer.ledger_id)
        except LedgerError:
            # Scenario: the answer is lost, and the list has the current ledger as closed. What it
            # took after that would be lost to the next owner, who recovers only the last ledger.
            self._may_be_closed |= self._chain.doubtful
            raise

    def _postpone(self) -> None:
        """Metadata is away: go on with the current ledger, and change when it is back."""
        if self._state is not State.REPLACING:
            return
        _log.warning("%s: no metadata for the next ledger; the full one goes on", self._chain.name)
        self._state = State.WRITING
        self._thresholds.disarm_full()
        self._succession.when_ready(self._replace_late)
        self._send_waiting()
        self._await_writable()

    def _replace_late(self) -> None:
        if self._state is State.WRITING:
            self._is_ready = True
            self._begin_replacing()

    def _install(self, writer: LedgerWriter) -> None:
        self._succession.installed(writer)
        self._may_be_closed = False
        self._writer = writer
        writer.sink = self
        self._pushed_bytes = 0
        self._timer.begin()
        self._thresholds.arm()
        self._confirmed.ledger_changed(writer)
        if self._error is not None:
            self._fail_waiting_soon()
            return
        self._state = State.WRITING
        self._timer.start()
        self._send_waiting()
        self._await_writable()

    def _send_waiting(self) -> None:
        waiting = self._waiting
        while waiting and not self._state:
            self.add_all((waiting.popleft(),))

    def _check_ahead(self) -> None:
        if self._succession.prepared or self._error is not None:
            return
        entries = self._chain.ledgers.entries[self._chain.ledgers.current_id]
        self._thresholds.disarm_ahead()
        if roll_over.is_nearly_due(self._fill(entries), self._config):
            self._succession.prepare()

    def _fill(self, entries: int) -> roll_over.LedgerFill:
        return roll_over.LedgerFill(entries, self._pushed_bytes, self._timer.age_ms)

    def _time_passed(self) -> None:
        assert self._state is State.WRITING, "the timer ends with the state"
        assert self._writer is not None
        if not self._writer.entries_pushed:
            self._timer.begin()  # an empty ledger is as good as a new one
        if roll_over.is_due(self._fill(self._writer.entries_pushed), self._config):
            self._begin_replacing()
            return
        self._check_ahead()
        self._thresholds.arm_full()
        self._timer.start()

    # Failing and stopping

    def _rest(self, error: LedgerError) -> None:
        """Fail what waits, and what comes soon: its producers come back later."""
        _log.warning("%s: appends fail: %s", self._chain.name, error)
        if self._state is not State.STOPPED:
            self._state = State.RESTING
        self._failures = 0
        self._rest_until_ms = self._timer.now_ms() + self._config.append_retry_interval_ms
        self._rest_error = error
        self._fail_waiting_soon()
        self._pending_empty()

    def fence(self, error: LedgerError) -> None:
        """Another broker owns the topic: what is pending ends, nothing is sent any more."""
        self._stop_adds(error)
        self._fail_waiting_soon()

    def _stop_adds(self, error: LedgerError) -> None:
        if self._error is None:
            self._error = error
        self._state = State.STOPPED
        self._timer.stop()
        self._succession.stop_waiting()

    def _fail_waiting_soon(self) -> None:
        if not self._failing_soon and self._waiting:
            self._failing_soon = True
            asyncio.get_running_loop().call_soon(self._fail_waiting)

    def _fail_waiting(self) -> None:
        self._failing_soon = False
        # What was sent before comes first; its end calls again.
        if self._pending or not self._waiting or self._state in (State.WRITING, State.REPLACING):
            return
        count = self._waiting.clear()
        self.sink.append_failed(count, self._error or self._rest_error)
        self._await_writable()

    async def stop(self, error: LedgerError) -> None:
        """Take no more adds; wait for those that were sent. Those that wait fail with `error`."""
        self._stop_adds(error)
        if self._task is not None:
            await asyncio.wait([self._task])
        if self._pending:
            drained = asyncio.get_running_loop().create_future()
            self._drained.append(drained)
            await drained
        self._fail_waiting()

    async def close(self) -> None:
        """After `stop`: close the current ledger, drop one that was made ahead.

        Raises:
            LedgerError: it is not closed; whoever opens the topic next does it by recovery.
        """
        writers = [self._failed_writer, self._writer]
        self._failed_writer = self._writer = None
        await self._succession.close(writers)
