"""What a bookie owes after a power cut: a log of what was asked and told, and its reading."""

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple


class Event(NamedTuple):
    """One thing that was asked of a bookie or a store, or told by it.

    `what` is one of: try, answered (before it is durable), acked (an
    entry's version), fence_acked, delete (begun), meta_try, meta
    (a metadata value, None when deleted).
    """

    what: str
    ledger_id: int
    entry_id: int = 0
    value: bytes | None = None


class Owed:
    """All that must be found, and all that may be, after a prefix of the log."""

    def __init__(self) -> None:
        self.versions: dict[int, dict[int, list[bytes]]] = defaultdict(lambda: defaultdict(list))
        self.acked: dict[int, dict[int, int]] = defaultdict(dict)
        self.fenced: set[int] = set()
        self.keyed: set[int] = set()
        self.deleted: set[int] = set()
        self.meta: dict[int, list[bytes | None]] = {}

    def take(self, events: Iterable[Event]) -> None:
        """Go on in the log."""
        for event in events:
            getattr(self, f"_{event.what}")(event)

    def _try(self, event: Event) -> None:
        assert event.value is not None
        self.versions[event.ledger_id][event.entry_id].append(event.value)

    def _answered(self, event: Event) -> None:
        """No promise."""

    def _acked(self, event: Event) -> None:
        assert event.value is not None
        index = self.versions[event.ledger_id][event.entry_id].index(event.value)
        before = self.acked[event.ledger_id].get(event.entry_id, -1)
        self.acked[event.ledger_id][event.entry_id] = max(before, index)
        self.keyed.add(event.ledger_id)

    def _fence_acked(self, event: Event) -> None:
        self.fenced.add(event.ledger_id)
        self.keyed.add(event.ledger_id)

    def _delete(self, event: Event) -> None:
        self.deleted.add(event.ledger_id)

    def _meta_try(self, event: Event) -> None:
        self.meta.setdefault(event.ledger_id, [None]).append(event.value)

    def _meta(self, event: Event) -> None:
        self.meta[event.ledger_id] = [event.value]

    def wrongs_of_entries(self, ledger_id: int, served: dict[int, bytes]) -> list[str]:
        """What is false in these entries of a ledger, or missing."""
        wrongs = []
        versions = self.versions[ledger_id]
        for entry_id, entry in served.items():
            known = versions.get(entry_id, [])
            if entry not in known:
                wrongs.append(f"entry {ledger_id}:{entry_id} was never added like this")
            elif ledger_id not in self.deleted and known.index(entry) < self.acked[ledger_id].get(
                entry_id, 0
            ):
                wrongs.append(f"entry {ledger_id}:{entry_id} is an older one")
        if ledger_id not in self.deleted:
            missing = sorted(self.acked[ledger_id].keys() - served.keys())
            wrongs += [f"entry {ledger_id}:{entry_id} is missing" for entry_id in missing]
        return wrongs

    def wrongs_of_metadata(self, found: dict[int, bytes]) -> list[str]:
        """What is false in the metadata, or missing."""
        return [
            f"metadata of {ledger_id} is {found.get(ledger_id)!r}, not any of {allowed}"
            for ledger_id, allowed in self.meta.items()
            if found.get(ledger_id) not in allowed
        ] + [f"metadata of {ledger_id} was never made" for ledger_id in found.keys() - self.meta]
