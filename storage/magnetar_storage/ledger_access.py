"""Who may add to a ledger: master keys and fences.

Each decision is one step on the loop, and what it changes is in the journal's queue before anything
else can run.
"""

from collections.abc import Sequence
from functools import partial
from struct import Struct
from typing import Final

from magnetar_proto.bookie import ENTRY_HEADER_BYTES, HIGH_PRIORITY, RECOVERY_ADD, Status

from magnetar_storage.admission import Admission
from magnetar_storage.journal import Journal
from magnetar_storage.ledger_records import LedgerRecord, LedgerRecords
from magnetar_storage.read_path import ReadPath, ReadRequest

_IDS = Struct(">qq")
_MAX_KEY_BYTES: Final = 255


class LedgerAccess:
    """Keys and fences of an engine's ledgers. `fencing` counts fences that are not durable yet."""

    def __init__(
        self, records: LedgerRecords, journal: Journal, admission: Admission, reads: ReadPath
    ) -> None:
        self._records = records
        self._journal = journal
        self._admission = admission
        self._reads = reads
        self.fencing = 0

    def admit(self, ledger_id: int, master_key: bytes, flags: int) -> LedgerRecord | Status:
        """The rare cases of an add: first one of a ledger, wrong key, fenced, gate closed."""
        refusing = self._admission.refusing
        if refusing is not None and not (refusing is Status.READ_ONLY and flags & HIGH_PRIORITY):
            return refusing
        record = self._with_key(ledger_id, master_key)
        if isinstance(record, LedgerRecord) and record.fenced and not flags & RECOVERY_ADD:
            return Status.FENCED
        return record

    def fence(self, request: ReadRequest, master_key: bytes) -> None:
        """Refuse ordinary adds from this step on; the read is answered when that is durable.

        Also when it will find nothing: a fence that a power cut can undo, told as done, would let
        the old writer go on behind a ledger that was closed.
        """
        record = self._with_key(request.ledger_id, master_key)
        if isinstance(record, Status):
            self._reads.refuse(request, record)
            return
        if record.fence_durable:
            self._reads.start(request)
            return
        if not record.fenced:
            self._records.fence(record)
        self.fencing += 1
        self._journal.append_fence(request.ledger_id, partial(self._fenced, record, request))

    def _fenced(self, record: LedgerRecord, request: ReadRequest, status: Status) -> None:
        self.fencing -= 1
        if status is Status.OK:
            record.fence_durable = True
            self._reads.start(request)
        else:
            self._reads.refuse(request, status)

    def _with_key(self, ledger_id: int, master_key: bytes) -> LedgerRecord | Status:
        """The ledger's record if this is its key; the first key that is given is kept."""
        if ledger_id < 0 or len(master_key) > _MAX_KEY_BYTES:
            return Status.BAD_REQUEST
        record = self._records.get(ledger_id)
        if record is not None and not record.accepts_key(master_key):
            return Status.UNAUTHORIZED
        if record is None or record.master_key != master_key:
            record = record or self._records.obtain(ledger_id)
            self._records.set_key(record, master_key)
            self._journal.append_key(ledger_id, master_key)
        return record


def plausible(ledger_id: int, entry_ids: Sequence[int], headers: Sequence[bytes]) -> bool:
    """Whether the first and the last header are of these entries: the journal keeps only headers.

    The callers that make many at once make them in one loop; a bug there shows at the ends too.
    """
    if len(entry_ids) == len(headers) == 1:
        entry_id, header = entry_ids[0], headers[0]
        return (
            entry_id >= 0
            and len(header) >= ENTRY_HEADER_BYTES
            and header[:16] == _IDS.pack(ledger_id, entry_id)
        )
    return (
        len(entry_ids) == len(headers)
        and min(entry_ids) >= 0
        and min(map(len, headers)) >= ENTRY_HEADER_BYTES
        and headers[0][:16] == _IDS.pack(ledger_id, entry_ids[0])
        and headers[-1][:16] == _IDS.pack(ledger_id, entry_ids[-1])
    )
