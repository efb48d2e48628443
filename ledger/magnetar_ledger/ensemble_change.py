"""Finds bookies for the places of an ensemble that failed, and puts the new segment into force.

Nobody waits for it while every write set has an ack quorum without the failed places: entries are
confirmed until the moment a new segment goes to metadata, and go on if that fails or takes long.
Why that is safe stands in docs/adr/0005.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Collection

from magnetar_metadata.ledger_metadata import Segment
from magnetar_proto.bookie import LAST_ENTRY, Status
from magnetar_runtime.bugs import report_bug

from magnetar_ledger.bookie_calls import read_bookie
from magnetar_ledger.client_tools import ClientTools
from magnetar_ledger.errors import LedgerError, LedgerMetadataError, NotEnoughBookiesError
from magnetar_ledger.quorum_core import QuorumCore

_CERTAIN = (Status.OK, Status.NO_ENTRY, Status.NO_LEDGER)


class ChangingWriter(ABC):
    """What a change of the ensemble needs of the writer."""

    @abstractmethod
    async def _write_segment(self, segment: Segment) -> None:
        """Put a segment where recovery and readers look for it.

        Raises:
            LedgerMetadataError: it may stand there or not, and may come to stand there later.
            LedgerError: another client has the ledger now.
        """

    @abstractmethod
    def _replicas_given_up(self, places: Collection[int]) -> None:
        """From now on no answer of the bookies at these places counts."""

    @abstractmethod
    def _segment_in_force(self, segment: Segment, replaced: Collection[int]) -> None:
        """Send what is pending to the new bookies, and confirm again."""

    @abstractmethod
    def _thaw(self) -> None:
        """Confirm again, with the places as they were."""

    @abstractmethod
    def _end(self, error: LedgerError) -> None:
        """The writer can do no more."""


class EnsembleChange:
    """The changes of one writer's ensemble, one after the other."""

    def __init__(self, writer: ChangingWriter, core: QuorumCore, tools: ClientTools) -> None:
        self._writer = writer
        self._core = core
        self._tools = tools
        self._wake = asyncio.Event()
        self._pause_ms = tools.config.ensemble_retry_pause_ms
        self._stopped = False
        self.running = False

    def place_failed(self) -> None:
        """A place of the ensemble has failed just now."""
        self._wake.set()
        if not self.running:
            self.running = True
            name = f"ledger {self._core.ledger_id} ensemble"
            self._tools.scope.spawn(self._run(), name=name, on_error=self._broke_down)

    def calm(self) -> None:
        """Nothing has failed for a while."""
        self._pause_ms = self._tools.config.ensemble_retry_pause_ms
        self._core.forgive()

    def stop(self) -> None:
        """The writer has ended."""
        self._stopped = True
        self._wake.set()

    async def _run(self) -> None:
        try:
            await self._replace_all()
        except LedgerError as error:
            self._writer._end(error)
        finally:
            self.running = False

    def _broke_down(self, error: Exception) -> None:
        """A bug: it ends this writer, and with it no other ledger's."""
        what = f"ledger {self._core.ledger_id}: the change of its ensemble broke down"
        report_bug(what, error)
        self._writer._end(LedgerError(f"{what}: {error!r}"))

    async def _replace_all(self) -> None:
        paused = False
        while self._needed():
            self._wake.clear()
            replacements = await self._choose(paused)
            if not self._needed():
                return
            was_reachable = self._core.reachable
            if replacements and await self._change(replacements):
                paused = False
                continue
            if replacements and was_reachable and not self._core.reachable:
                # One more failed while the change took its time: again, for all, without a limit.
                paused = False
                continue
            if self._needed() and not self._core.reachable:
                raise NotEnoughBookiesError(
                    f"ledger {self._core.ledger_id}: {len(self._core.failed)} of "
                    f"{len(self._core.ensemble)} bookies failed and nobody takes their places"
                )
            paused = await self._pause()

    def _needed(self) -> bool:
        return bool(self._core.failed) and not self._stopped

    async def _choose(self, paused: bool) -> dict[int, str]:
        """New bookies for as many of the failed places as can be."""
        try:
            return await self._choose_after_pause() if paused else await self._choose_at_once()
        except LedgerMetadataError:
            if not self._core.reachable:
                raise
            return {}

    async def _choose_at_once(self) -> dict[int, str]:
        failed, kept = self._places()
        for count in range(len(failed), 0, -1):
            try:
                chosen = await self._tools.choose(count, self._core.avoided_bookies(), kept)
            except NotEnoughBookiesError:
                continue
            return dict(zip(failed, chosen, strict=False))
        return {}

    async def _choose_after_pause(self) -> dict[int, str]:
        """One bookie that answers; it may be the one that failed at the same place."""
        failed, kept = self._places()
        for place in failed:
            others = [self._core.ensemble[i] for i in failed if i != place]
            try:
                (chosen,) = await self._tools.choose(1, [*kept, *others], kept)
            except NotEnoughBookiesError:
                continue
            if await self._answers(chosen):
                return {place: chosen}
        return {}

    def _places(self) -> tuple[list[int], list[str]]:
        failed = sorted(self._core.failed)
        return failed, [b for i, b in enumerate(self._core.ensemble) if i not in failed]

    async def _answers(self, bookie_id: str) -> bool:
        status, _ = await read_bookie(
            self._tools.bookies.bookie(bookie_id),
            self._core.ledger_id,
            LAST_ENTRY,
            1,
            0,
            self._tools.config.ensemble_change_patience_ms,
        )
        return status in _CERTAIN

    async def _change(self, replacements: dict[int, str]) -> bool:
        """Whether the new segment is in force; else the old one is, or both are right."""
        core, writer = self._core, self._writer
        if not core.failed.issuperset(replacements):
            return False
        segment = core.freeze(replacements)
        writer._replicas_given_up(replacements)
        patience_ms = self._tools.config.ensemble_change_patience_ms
        try:
            async with asyncio.timeout(patience_ms / 1000 if core.reachable else None):
                await writer._write_segment(segment)
        except (TimeoutError, LedgerMetadataError) as error:
            if isinstance(error, LedgerMetadataError) and not core.reachable:
                raise
            self._thaw()
            return False
        except LedgerError:
            raise  # the end of the writer
        except BaseException:
            # Scenario: another task of the client broke down, and all are cancelled. Nobody would
            # thaw the writer: it took entries for ever and said nothing. Safe as after a timeout.
            self._thaw()
            raise
        if not self._stopped:
            writer._segment_in_force(segment, replacements)
        return True

    def _thaw(self) -> None:
        if not self._stopped:
            self._writer._thaw()

    async def _pause(self) -> bool:
        """Wait a while, each time longer; False if something happened before."""
        pause_ms = self._pause_ms
        self._pause_ms = min(2 * pause_ms, self._tools.config.max_ensemble_retry_pause_ms)
        try:
            async with asyncio.timeout(pause_ms / 1000):
                await self._wake.wait()
        except TimeoutError:
            return True
        return False
