"""Clients and bookies with one step of the protocol broken, that the simulation must find.

Each replaces a function of the product while it is entered; the product has no switch for it.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest import mock

from magnetar_ledger import bookie_calls, recovery
from magnetar_ledger.ack_window import QuorumAckWindow
from magnetar_ledger.heard_lengths import HeardLength, HeardLengths
from magnetar_ledger.quorum_core import QuorumCore
from magnetar_ledger.recovery_core import EntrySearch, LacCore, RecoveryCore
from magnetar_ledger.writer import LedgerWriter
from magnetar_metadata.ledger_metadata import LedgerMetadata
from magnetar_metadata.ledger_registry import LedgerRegistry
from magnetar_metadata.store import ANY_VERSION
from magnetar_proto.bookie import FENCE, LAST_ENTRY

from tests.sim import mutants as of_bookies

Mutant = Callable[[], AbstractContextManager[None]]


@contextmanager
def _replaced(owner: Any, name: str, replacement: Any) -> Iterator[None]:
    with mock.patch.object(owner, name, replacement):
        yield


def entry_reads_without_fence() -> AbstractContextManager[None]:
    """Recovery fences by its LAC reads only (BookKeeper issue 2614)."""
    start_read = bookie_calls.start_read

    def start(
        bookie: Any, ledger_id: int, first: int, *args: Any, flags: int, **kwargs: Any
    ) -> None:
        flags = flags if first == LAST_ENTRY else flags & ~FENCE
        start_read(bookie, ledger_id, first, *args, flags=flags, **kwargs)

    return _replaced(recovery, "start_read", start)


def no_lower_bound_of_the_lac() -> AbstractContextManager[None]:
    """Recovery may begin below the last segment (BookKeeper issue 2615)."""
    make = LacCore.__init__

    def init(self: LacCore, *args: Any, **kwargs: Any) -> None:
        make(self, *args, **kwargs)
        self.last_add_confirmed = -1

    return _replaced(LacCore, "__init__", init)


def changed_ensemble_not_in_metadata() -> AbstractContextManager[None]:
    """Entries are confirmed on bookies that metadata does not name (BookKeeper issue 1591)."""

    async def write(_writer: LedgerWriter, _segment: Any) -> None:
        pass

    return _replaced(LedgerWriter, "_write_segment", write)


def no_answer_is_no_such_entry() -> AbstractContextManager[None]:
    """Recovery takes a missing answer for a negative one (BookKeeper issues 2908, 2909)."""
    return _replaced(EntrySearch, "unknown", EntrySearch.negative)


def recovery_tells_its_own_lac() -> AbstractContextManager[None]:
    """Entries that are added again carry what this recovery has confirmed on its own ensemble."""
    push = QuorumCore.push_recovered

    def push_with_own(self: QuorumCore, payload: bytes, length: int) -> bytes:
        self._known_lac = self.last_add_confirmed
        return push(self, payload, length)

    return _replaced(QuorumCore, "push_recovered", push_with_own)


def one_negative_too_few() -> AbstractContextManager[None]:
    """An entry counts as absent though an ack quorum may have it."""

    def absent(self: EntrySearch) -> bool:
        return self._negatives >= max(1, self._quorum.coverage - 1)

    return _replaced(EntrySearch, "absent", property(absent))


def ack_quorum_one_less() -> AbstractContextManager[None]:
    """An entry is confirmed with one copy less."""

    def done_through(self: QuorumAckWindow) -> int:
        needed, done = max(1, self._quorum.ack_quorum - 1), self._first - 1
        for mask in self._masks:
            if mask.bit_count() < needed:
                break
            done += 1
        return done

    return _replaced(QuorumAckWindow, "done_through", done_through)


def closed_before_entries_are_added_again() -> AbstractContextManager[None]:
    """Recovery closes the ledger without waiting for what it adds."""
    go_on = RecoveryCore._go_on

    def hurry(self: RecoveryCore) -> Any:
        if self._end_found:
            self._confirmed = self._next - 1
        return go_on(self)

    return _replaced(RecoveryCore, "_go_on", hurry)


def metadata_of_any_version_is_replaced() -> AbstractContextManager[None]:
    """Ensemble changes, recoveries and closes overwrite each other."""
    write = LedgerRegistry.write

    async def write_any(
        self: LedgerRegistry, ledger_id: int, metadata: LedgerMetadata, _version: int
    ) -> int:
        return await write(self, ledger_id, metadata, ANY_VERSION)

    return _replaced(LedgerRegistry, "write", write_any)


def recovery_without_fence() -> AbstractContextManager[None]:
    """Recovery does not fence at all."""
    start_read = bookie_calls.start_read

    def start(*args: Any, flags: int, **kwargs: Any) -> None:
        start_read(*args, flags=flags & ~FENCE, **kwargs)

    return _replaced(recovery, "start_read", start)


def lac_of_unsent_entries() -> AbstractContextManager[None]:
    """A writer tells as confirmed what it has only taken."""
    push = QuorumCore.push

    def push_early(self: QuorumCore, payloads: Sequence[bytes]) -> list[bytes]:
        told, self.last_add_confirmed = self.last_add_confirmed, self.last_pushed
        headers = push(self, payloads)
        self.last_add_confirmed = told
        return headers

    return _replaced(QuorumCore, "push", push_early)


def length_counts_what_was_cut() -> AbstractContextManager[None]:
    """A recovered ledger is as long as the last entry that was heard of says, confirmed or not."""

    def at(self: HeardLengths, _last_entry_id: int) -> HeardLength:
        return HeardLength(self._bytes[max(self._bytes)], exact=True)

    return _replaced(HeardLengths, "at", at)


MUTANTS: dict[str, Mutant] = {
    each.__name__: each
    for each in (
        entry_reads_without_fence,
        no_lower_bound_of_the_lac,
        no_answer_is_no_such_entry,
        recovery_tells_its_own_lac,
        changed_ensemble_not_in_metadata,
        one_negative_too_few,
        ack_quorum_one_less,
        closed_before_entries_are_added_again,
        metadata_of_any_version_is_replaced,
        recovery_without_fence,
        lac_of_unsent_entries,
        length_counts_what_was_cut,
        of_bookies.receipt_before_sync,
        of_bookies.journal_without_sync,
    )
}
