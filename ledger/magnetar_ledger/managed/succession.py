"""The ledgers before and behind the current one: made ahead of time, closed when left."""

import asyncio
import logging
from collections.abc import Callable, Iterable

from magnetar_runtime.scope import TaskScope

from magnetar_ledger.errors import LedgerError
from magnetar_ledger.managed.config import ManagedLedgerConfig
from magnetar_ledger.managed.ledger_chain import LedgerChain
from magnetar_ledger.writer import LedgerWriter

_log = logging.getLogger(__name__)


class Succession:
    """Makes the next ledger of a chain and ends those that were left behind."""

    def __init__(self, chain: LedgerChain, scope: TaskScope, config: ManagedLedgerConfig) -> None:
        self._chain = chain
        self._scope = scope
        self._config = config
        self._ahead: LedgerWriter | None = None
        self._ahead_task: asyncio.Task[None] | None = None
        self._waiting: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def prepared(self) -> bool:
        """The next ledger is there, or is being made."""
        return self._ahead is not None or self._ahead_task is not None

    def prepare(self) -> None:
        """Make the next ledger ahead of time, so that no add waits for it."""
        name = f"{self._chain.name} ledger ahead"
        self._ahead_task = self._scope.spawn(self._create_ahead(), name=name)

    async def get_ready(self, patience_ms: int | None) -> None:
        """Have the next ledger, and metadata that answers: then a change takes one write.

        Args:
            patience_ms: None for as long as the metadata store itself waits.

        Raises:
            LedgerError: metadata does not answer, or not in time.
        """
        try:
            async with asyncio.timeout(None if patience_ms is None else patience_ms / 1000):
                if not self.prepared:
                    self.prepare()
                if self._ahead_task is not None:
                    await asyncio.wait([self._ahead_task])  # cut off here, it goes on
                if self._ahead is not None:
                    await self._chain.sync()
        except TimeoutError:
            raise LedgerError(f"{self._chain.name}: no metadata for {patience_ms} ms") from None
        if self._ahead is None:
            raise LedgerError(f"{self._chain.name}: the next ledger could not be made")

    def when_ready(self, callback: Callable[[], None]) -> None:
        """Call back once, when `get_ready` has come to its end; it is tried again and again."""
        self.stop_waiting()
        waiting = self._wait_until_ready(callback)
        self._waiting = self._scope.spawn(waiting, name=f"{self._chain.name} late ledger")

    def stop_waiting(self) -> None:
        """Nobody is interested in `when_ready` any more."""
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    async def _wait_until_ready(self, callback: Callable[[], None]) -> None:
        while True:
            await asyncio.sleep(self._config.roll_over_retry_interval_ms / 1000)
            try:
                await self.get_ready(None)
            except LedgerError:
                continue
            self._waiting = None
            callback()
            return

    async def next_writer(self) -> LedgerWriter:
        """The next ledger, made now if it was not made ahead.

        Until it is installed it is kept: a list that could not be written is tried again with it.

        Raises:
            LedgerError: none could be made.
        """
        # Scenario: it would have one made beside that of here. One of the two is never listed, or
        # is after the other with a lower id.
        self.stop_waiting()
        if self._ahead_task is not None:
            await asyncio.wait([self._ahead_task])
        if self._ahead is None:
            self._ahead = await self._chain.create_ledger()
        return self._ahead

    def installed(self, writer: LedgerWriter) -> None:
        """This ledger is listed and takes entries from now on."""
        self.stop_waiting()
        if self._ahead is writer:
            self._ahead = None

    def close_behind(self, writer: LedgerWriter | None, empty: int | None) -> None:
        """End the ledger before: all in it is confirmed and listed, so nobody waits for this."""
        if writer is not None:
            # Scenario: it fails by itself between here and its close. Nothing of it is pending, and
            # its end must not be taken for that of the ledger behind it.
            writer.sink = _EndedSink()
        if writer is not None or empty is not None:
            closing = self._close_and_delete(writer, empty)
            task = self._scope.spawn(closing, name=f"{self._chain.name} close ledger")
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def discard(self, writer: LedgerWriter) -> None:
        """End a ledger that the list does not have: its timer would go on, its node stay."""
        await _close(writer)
        await self._chain.delete_ledgers([writer.ledger_id])

    async def close(self, writers: Iterable[LedgerWriter | None]) -> None:
        """Close these writers, behind what is under way, and drop a ledger that was made ahead.

        Raises:
            LedgerError: one is not closed; whoever opens the topic next does it by recovery.
        """
        background = [*self._closing, *([self._ahead_task] if self._ahead_task else [])]
        if background:
            await asyncio.wait(background)
        ahead, self._ahead = self._ahead, None
        failures: list[LedgerError] = []
        for writer in writers:
            if writer is not None:
                try:
                    await writer.close()
                except LedgerError as error:
                    failures.append(error)
        if ahead is not None:
            await self.discard(ahead)
        if failures:
            raise failures[-1]

    async def _create_ahead(self) -> None:
        try:
            self._ahead = await self._chain.create_ledger()
        except LedgerError as error:
            _log.warning("%s: no ledger ahead of time: %s", self._chain.name, error)
        finally:
            self._ahead_task = None

    async def _close_and_delete(self, writer: LedgerWriter | None, empty: int | None) -> None:
        if writer is not None:
            await _close(writer)
        if empty is not None:
            await self._chain.delete_ledgers([empty])


async def _close(writer: LedgerWriter) -> None:
    try:
        await writer.close()
    except LedgerError as error:
        # Whoever opens it next closes it by recovery, at the same entry.
        _log.warning("ledger %d was not closed: %s", writer.ledger_id, error)


class _EndedSink:
    """For a ledger that was left behind: nothing it says matters any more."""

    def entries_confirmed(self, first_entry_id: int, count: int) -> None:
        raise AssertionError("a ledger that was left behind had nothing pending")

    def writer_failed(self, error: LedgerError) -> None:
        _log.debug("a ledger that was left behind ended: %s", error)
