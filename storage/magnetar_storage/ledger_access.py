"""Who may add to a ledger: master keys and fences; and what its writer tells beside entries.

Each decision is one step on the loop, and what it changes is in the journal's queue before anything
else can run.
"""

from collections.abc import Sequence
from functools import partial
from struct import Struct
from typing import Final

from magnetar_proto.bookie import ENTRY_HEADER_BYTES, RECOVERY_ADD, LacDone, Status

from magnetar_storage.admission import Admission
from magnetar_storage.explicit_lacs import is_body
from magnetar_storage.journal_format import KeyHead
from magnetar_storage.journals import Journals
from magnetar_storage.ledger_records import LedgerRecord, LedgerRecords
from magnetar_storage.read_path import ReadPath, ReadRequest

_IDS = Struct(">qq")
_MAX_KEY_BYTES: Final = 255


class LedgerAccess:
    """Keys and fences of an engine's ledgers. `fencing` counts fences that are not durable yet."""

    def __init__(
        self,
        directory: int,
        records: LedgerRecords,
        journals: Journals,
        admission: Admission,
        reads: ReadPath,
    ) -> None:
        """Args: `directory` is the number of the ledger directory, kept with each new ledger."""
        self._directory = directory
        self._records = records
        self._journals = journals
        self._admission = admission
        self._reads = reads
        self.fencing = 0

    def admit(
        self, ledger_id: int, master_key: bytes, flags: int, first_entry: int
    ) -> LedgerRecord | Status:
        """The rare cases of an add: first one of a ledger, wrong key, fenced, gate closed."""
        refusal = self._admission.refusal(flags)
        if refusal is not None:
            return refusal
        # A writer sends entry 0 again only if it was not acknowledged, and nothing before it was.
        begins = first_entry == 0 and not flags & RECOVERY_ADD
        record = self._with_key(ledger_id, master_key, begins)
        if isinstance(record, Status):
            return record
        if record.fenced and not flags & RECOVERY_ADD:
            return Status.FENCED
        self._leave_failed_journal(record)
        return record

    def fence(self, request: ReadRequest, master_key: bytes) -> None:
        """Refuse ordinary adds from this step on; the read is answered when that is durable.

        Also when it will find nothing: a fence that a power cut can undo, told as done, would let
        the old writer go on behind a ledger that was closed.
        """
        record = self._with_key(request.ledger_id, master_key, begins=False)
        if isinstance(record, Status):
            self._reads.refuse(request, record)
            return
        if record.fence_durable:
            self._reads.start(request)
            return
        self._leave_failed_journal(record)
        if not record.fenced:
            self._records.fence(record)
        self.fencing += 1
        journal = self._journals.all[record.journal]
        journal.append_fence(request.ledger_id, partial(self._fenced, record, request))

    def _fenced(self, record: LedgerRecord, request: ReadRequest, status: Status) -> None:
        self.fencing -= 1
        if status is Status.OK:
            record.fence_durable = True
            self._reads.start(request)
        else:
            self._reads.refuse(request, status)

    def write_lac(
        self, ledger_id: int, master_key: bytes, body: bytes, done: LacDone
    ) -> Status | None:
        """Keep what a writer tells; readers get it when it is durable.

        A fence does not matter: what was confirmed before it stays confirmed.

        Returns:
            With what it is refused; None if `done` will be told.
        """
        if not is_body(ledger_id, body):
            return Status.BAD_REQUEST
        refusal = self._admission.refusal(0)
        if refusal is not None:
            return refusal
        record = self._with_key(ledger_id, master_key, begins=False)
        if isinstance(record, Status):
            return record
        journal = self._journals.all[record.journal]
        journal.append_explicit_lac(ledger_id, body, partial(self._lac_kept, record, body, done))
        return None

    def _lac_kept(self, record: LedgerRecord, body: bytes, done: LacDone, status: Status) -> None:
        # The ledger may have been deleted meanwhile.
        if status is Status.OK and self._records.get(record.ledger_id) is record:
            self._records.set_explicit_lac(record, body)
        done(status, body if status is Status.OK else None)

    def _with_key(self, ledger_id: int, master_key: bytes, begins: bool) -> LedgerRecord | Status:
        """The ledger's record if this is its key; the first key that is given is kept."""
        if ledger_id < 0 or len(master_key) > _MAX_KEY_BYTES:
            return Status.BAD_REQUEST
        record = self._records.get(ledger_id)
        if record is not None and not record.accepts_key(master_key):
            return Status.UNAUTHORIZED
        if record is None:
            record = self._records.obtain(ledger_id)
            self._set_key(record, master_key, self._begins(record, begins))
        elif record.master_key != master_key:
            self._set_key(record, master_key, began=False)
        return record

    def _set_key(self, record: LedgerRecord, master_key: bytes, began: bool) -> None:
        self._records.set_key(record, master_key)
        head = KeyHead(record.ledger_id, self._directory, began)
        self._journals.all[record.journal].append_key(head, master_key)

    def _leave_failed_journal(self, record: LedgerRecord) -> None:
        """Fences and recovery go on in another journal, so that the ledger can be closed.

        Ordinary adds do not come here: they fail, and their writer begins another ledger.
        """
        journals = self._journals
        if not journals.all[record.journal].failed:
            return
        place = journals.choose(record.ledger_id)
        if not journals.all[place].failed:
            record.journal = place
            # So that whoever replays that journal alone knows whose directory it is.
            self._set_key(record, record.master_key, began=False)

    def _begins(self, record: LedgerRecord, begins: bool) -> bool:
        """Whether nothing of an unknown ledger can have been lost, because it begins now.

        Scenario: damage took all of a ledger, and its writer goes on with entry 10. It is no new
        ledger, and what is missing of it must not be called absent.
        """
        reads = self._reads
        if begins or reads.unknown_checked >= reads.damages:
            record.checked = reads.damages
            return True
        return False


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
        and (entry_ids[0] if type(entry_ids) is range else min(entry_ids)) >= 0
        and min(map(len, headers)) >= ENTRY_HEADER_BYTES
        and headers[0][:16] == _IDS.pack(ledger_id, entry_ids[0])
        and headers[-1][:16] == _IDS.pack(ledger_id, entry_ids[-1])
    )
