"""What a bookie knows of each ledger beside its entries. Pure."""

from collections.abc import Callable, Iterable
from struct import Struct
from typing import Final

from magnetar_storage.errors import FormatError
from magnetar_storage.explicit_lacs import lac_of_body

NO_ENTRIES: Final = -1

_FORMAT = 3
_FENCED = 1
_RECORD = Struct("<BBqIBB")
_SECOND_FORMAT = 2
_SECOND_RECORD = Struct("<BBqIB")
_FIRST_FORMAT = 1
_FIRST_RECORD = Struct("<BBqB")


class LedgerRecord:
    """One ledger.

    Attributes:
        master_key: b"" while none was given (entries replayed after the record was deleted).
        fenced: ordinary adds are refused.
        fence_durable: the fence may be told to others.
        last_entry: highest id ever added, -1 if none.
        indexed_last: no id above this one is in the location index.
        checked: of so many damages to the journal it is known that they took nothing of this
            ledger, because it began later or because replicas were asked.
        explicit_lac: the body in which its writer told the highest LAC, durable; b"" without one.
        journal: place of its journal among the working ones; chosen anew at each start.
    """

    __slots__ = (
        "checked",
        "explicit_lac",
        "fence_durable",
        "fenced",
        "indexed_last",
        "journal",
        "last_entry",
        "ledger_id",
        "master_key",
    )

    def __init__(self, ledger_id: int, master_key: bytes) -> None:
        self.ledger_id = ledger_id
        self.master_key = master_key
        self.fenced = False
        self.fence_durable = False
        self.last_entry = NO_ENTRIES
        self.indexed_last = NO_ENTRIES
        self.checked = 0
        self.explicit_lac = b""
        self.journal = 0

    def accepts_key(self, master_key: bytes) -> bool:
        """Whether this is the ledger's key; a missing or all-zero one takes any."""
        return self.master_key == master_key or not any(self.master_key)

    def encode(self) -> bytes:
        """As kept in the index.

        The last entry is the last one indexed: a higher one may not be durable yet, and is found
        again by replay if it is.
        """
        flags = _FENCED if self.fenced else 0
        key, lac = self.master_key, self.explicit_lac
        fields = _RECORD.pack(_FORMAT, flags, self.indexed_last, self.checked, len(key), len(lac))
        return fields + key + lac

    @classmethod
    def decode(cls, ledger_id: int, data: bytes) -> "LedgerRecord":
        """As kept in the index.

        Raises:
            FormatError: not a whole record of a known format.
        """
        layout = _LAYOUTS.get(data[0], _RECORD) if data else _RECORD
        if len(data) < layout.size:
            raise FormatError(f"the record of ledger {ledger_id} is cut short")
        record_format, flags, last_entry, *numbers = layout.unpack_from(data)
        if record_format not in _LAYOUTS:
            raise FormatError(f"ledger record format {record_format} is not known here")
        # What a format does not have yet is 0.
        checked = numbers.pop(0) if record_format > _FIRST_FORMAT else 0
        key_bytes, lac_bytes = [*numbers, 0][:2]
        key_end = layout.size + key_bytes
        if len(data) != key_end + lac_bytes:
            raise FormatError(f"the record of ledger {ledger_id} has a wrong length")
        record = cls(ledger_id, data[layout.size : key_end])
        record.explicit_lac = data[key_end:]
        record.checked = checked
        record.fenced = record.fence_durable = bool(flags & _FENCED)
        record.last_entry = record.indexed_last = last_entry
        return record


_LAYOUTS: Final = {
    _FIRST_FORMAT: _FIRST_RECORD,
    _SECOND_FORMAT: _SECOND_RECORD,
    _FORMAT: _RECORD,
}


def _first(_: int) -> int:
    return 0


class LedgerRecords(dict[int, LedgerRecord]):
    """All ledgers of an engine, and which of them the index does not have as they are."""

    __slots__ = ("_choose_journal", "dirty")

    def __init__(
        self, records: Iterable[LedgerRecord] = (), choose_journal: Callable[[int], int] = _first
    ) -> None:
        """Args: `choose_journal` says which of the journals takes a ledger, by the ledger's id."""
        super().__init__((record.ledger_id, record) for record in records)
        self._choose_journal = choose_journal
        self.dirty: set[int] = set()
        for record in self.values():
            record.journal = choose_journal(record.ledger_id)

    def obtain(self, ledger_id: int) -> LedgerRecord:
        """The ledger's record; a new one without a key if there is none."""
        record = self.get(ledger_id)
        if record is None:
            record = self[ledger_id] = LedgerRecord(ledger_id, b"")
            record.journal = self._choose_journal(ledger_id)
            self.dirty.add(ledger_id)
        return record

    def set_key(self, record: LedgerRecord, master_key: bytes) -> None:
        """Give a ledger its key."""
        record.master_key = master_key
        self.dirty.add(record.ledger_id)

    def fence(self, record: LedgerRecord) -> None:
        """Refuse ordinary adds from now on."""
        record.fenced = True
        self.dirty.add(record.ledger_id)

    def set_explicit_lac(self, record: LedgerRecord, body: bytes) -> None:
        """Keep what a writer told, unless a higher LAC is kept: journals may tell in any order."""
        kept = record.explicit_lac
        if not kept or lac_of_body(kept) < lac_of_body(body):
            record.explicit_lac = body
            self.dirty.add(record.ledger_id)

    def check(self, record: LedgerRecord, damages: int) -> None:
        """These damages took nothing of the ledger."""
        record.checked = damages
        self.dirty.add(record.ledger_id)

    def take_dirty(self) -> set[int]:
        """The ledgers whose records must be written; they count as written from now on."""
        taken, self.dirty = self.dirty, set()
        return taken
