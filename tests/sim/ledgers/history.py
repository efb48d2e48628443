"""What was asked for and told in a simulated cluster of bookies, noted outside of it.

What contradicts it ends the run at once. The rules are BookKeeper's six: confirmed entries are in
the closed ledger, each on its ack quorum, in the order in which they were written; nobody sees
another end than others; metadata agrees with what clients were told; every ledger ends closed.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import NoReturn

from magnetar_metadata.ledger_metadata import LedgerMetadata, LedgerState
from magnetar_metadata.ledger_paths import LEDGERS_ROOT, ledger_id_of
from magnetar_metadata.memory import MemoryStore


class ViolationError(AssertionError):
    """What was told contradicts what was told before, or what is there."""


class Ledger:
    """One ledger.

    Attributes:
        pushed: Payloads by entry id, as its writer has given them.
        confirmed: So many were told to be stored.
        metadata: As the store has it now; None before it has any.
    """

    def __init__(self) -> None:
        self.pushed: list[bytes] = []
        self.confirmed = 0
        self.metadata: LedgerMetadata | None = None

    @property
    def last_entry_id(self) -> int | None:
        """Where it was closed."""
        found = self.metadata
        return found.last_entry_id if found is not None and found.closed else None


def _nothing_is_lost(_bookie_id: str, _ledger_id: int, _flags: int) -> bool:
    return False


class History:
    """All ledgers of a run.

    Args:
        fail: ends the run with what is wrong.

    Attributes:
        fenced: Bookie and ledger of each fence that was told.
        ensemble_changes: Segments that writers have added.
        guessed_lengths: Ledger and length of each recovery that could ask nobody for it.
        on_request: told bookie, ledger and flags of each read and of each add of a recovery
            that reaches a bookie; says whether it is lost there.
        on_ensemble_change: told of the ledger, in the step in which the store has it.
    """

    def __init__(self, fail: Callable[[BaseException], None]) -> None:
        self._fail = fail
        self.ledgers: dict[int, Ledger] = defaultdict(Ledger)
        self.fenced: set[tuple[str, int]] = set()
        self.ensemble_changes = 0
        self.guessed_lengths: set[tuple[int, int]] = set()
        self.on_request: Callable[[str, int, int], bool] = _nothing_is_lost
        self.on_ensemble_change: Callable[[int], None] = lambda _ledger_id: None

    def wrong(self, what: str) -> NoReturn:
        """End the run."""
        error = ViolationError(what)
        self._fail(error)
        raise error

    @property
    def open_ledgers(self) -> list[int]:
        """Those that metadata knows and that are not closed."""
        return [
            ledger_id
            for ledger_id, ledger in self.ledgers.items()
            if ledger.metadata is not None and not ledger.metadata.closed
        ]

    # What writers do and are told.

    def pushed(self, ledger_id: int, first: int, payloads: Sequence[bytes]) -> None:
        """A writer has taken entries."""
        ledger = self.ledgers[ledger_id]
        if first != len(ledger.pushed):
            self.wrong(f"entry {ledger_id}:{first} was to be {len(ledger.pushed)}")
        ledger.pushed += payloads

    def confirmed(self, ledger_id: int, first: int, count: int) -> None:
        """A writer was told that these are stored."""
        ledger = self.ledgers[ledger_id]
        if first != ledger.confirmed:
            self.wrong(f"ledger {ledger_id}: {first} is confirmed behind {ledger.confirmed - 1}")
        ledger.confirmed += count
        last = ledger.last_entry_id
        if last is not None and last < ledger.confirmed - 1:
            self.wrong(f"entry {ledger_id}:{first} is confirmed behind the end {last}")

    # What readers are told.

    def opened(self, ledger_id: int, metadata: LedgerMetadata) -> None:
        """A client was told that this is the closed ledger."""
        if metadata != self.ledgers[ledger_id].metadata:
            self.wrong(f"ledger {ledger_id}: a client saw {metadata}, not what the store has")

    def lac_seen(self, ledger_id: int, lac: int) -> None:
        """A reader was told that everything up to here is confirmed."""
        ledger = self.ledgers[ledger_id]
        last = ledger.last_entry_id
        end = ledger.confirmed - 1 if last is None else last
        if lac > end:
            self.wrong(f"ledger {ledger_id}: a reader saw LAC {lac}, confirmed is {end}")

    def entries_read(self, ledger_id: int, first: int, payloads: Sequence[bytes]) -> None:
        """A reader got these."""
        written = self.ledgers[ledger_id].pushed[first : first + len(payloads)]
        if written != list(payloads):
            self.wrong(f"entries {ledger_id}:{first} and behind are not what was written")

    # What bookies tell.

    def fence_told(self, bookie_id: str, ledger_id: int) -> None:
        """A bookie has answered a read that fences."""
        self.fenced.add((bookie_id, ledger_id))

    # What the metadata store has.

    def watch(self, store: MemoryStore) -> None:
        """See every change of the store, in the step in which it happens."""
        shared = store._shared
        changed = shared.changed

        def noted(paths: Sequence[str]) -> None:
            for path in paths:
                if path.startswith(LEDGERS_ROOT) and path.rpartition("/")[2].startswith("L"):
                    self._metadata_changed(path, store)
            changed(paths)

        shared.changed = noted  # type: ignore[method-assign]

    def _metadata_changed(self, path: str, store: MemoryStore) -> None:
        ledger_id = ledger_id_of(path.removeprefix(LEDGERS_ROOT).replace("/", "").replace("L", ""))
        node = store._shared.tree.get(path)
        if ledger_id is None:
            return
        if node is None:
            self.wrong(f"the metadata of ledger {ledger_id} is gone")
        ledger = self.ledgers[ledger_id]
        before, after = ledger.metadata, LedgerMetadata.decode(node.value)
        ledger.metadata = after
        if before is not None:
            self._check_change(ledger_id, before, after)
        if after.closed:
            self._check_end(ledger_id, ledger, after)

    def _check_change(self, ledger_id: int, before: LedgerMetadata, after: LedgerMetadata) -> None:
        if before.closed:
            self.wrong(f"ledger {ledger_id} was closed, and is changed to {after}")
        if after.state < before.state:
            self.wrong(f"ledger {ledger_id} was {before.state.name}, and is {after.state.name}")
        # A last segment that got no entry may be replaced; none before it.
        kept = before.segments[:-1]
        if after.segments[: len(kept)] != kept:
            self.wrong(f"ledger {ledger_id}: earlier segments of {before} are changed to {after}")
        if before.segments != after.segments and after.state is LedgerState.OPEN:
            self.ensemble_changes += 1
            self.on_ensemble_change(ledger_id)

    def _check_end(self, ledger_id: int, ledger: Ledger, metadata: LedgerMetadata) -> None:
        last = metadata.last_entry_id
        if last < ledger.confirmed - 1:
            self.wrong(f"ledger {ledger_id} ends at {last}, confirmed is {ledger.confirmed - 1}")
        if last >= len(ledger.pushed):
            self.wrong(f"ledger {ledger_id} ends at {last}, which nobody wrote")
        length = sum(map(len, ledger.pushed[: last + 1]))
        # Scenario: a segment is empty when its writer dies, and all bookies of the segment before
        # are down (seeds 1000396, 1000442, 1000475, 1000931), or what came behind the end is cut
        # and the bookies of the last entry are down (1000730): nobody knows how long the ledger is.
        guessed = (ledger_id, metadata.length) in self.guessed_lengths
        if metadata.length != length and not guessed:
            self.wrong(f"ledger {ledger_id}: metadata has {metadata.length} bytes, not {length}")
