"""Adds of one connection: gathered by ledger on the way in, answered in batches on the way out.

What else makes things durable is here too: forces and LACs that a writer tells by themselves.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from magnetar_proto.bookie import DEFERRED_SYNC, HIGH_PRIORITY, RECOVERY_ADD, Status
from magnetar_proto.bookkeeper.requests import VERSION_3, AddRequest, AddRun, WriteLacRequest
from magnetar_proto.bookkeeper.responses import ForceLedgerResponse, Response, WriteLacResponse
from magnetar_proto.bookkeeper.runs import distinct
from magnetar_proto.bookkeeper.wire_v2 import MASTER_KEY_BYTES
from magnetar_proto.bookkeeper.wire_v2 import encode_adds as encode_adds_v2
from magnetar_proto.bookkeeper.wire_v3_responses import encode_adds as encode_adds_v3

from magnetar_storage.service.context import ServiceContext
from magnetar_storage.service.lac_table import lac_of

_FLAGS: Final = RECOVERY_ADD | HIGH_PRIORITY | DEFERRED_SYNC

_Key = tuple[int, int, int, bytes]
"""Version, ledger, flags and master key: what adds must share to go to the bookie together."""


class Output(Protocol):
    """Where receipts go."""

    def send(self, data: bytes) -> None: ...

    def respond(self, response: Response) -> None: ...

    def adds_ended(self, count: int) -> None:
        """So many adds are answered."""


class LedgerAdds:
    """The adds of one ledger that wait for their receipts. A `magnetar_proto.bookie.AddSink`.

    One per ledger, key, version and flags, so that one that was taken vouches for the LAC of the
    others, and receipts of an entry with and without a flag are not mixed up. It lives while adds
    wait.
    """

    __slots__ = (
        "_adds",
        "_key",
        "_lac",
        "_txn_ids",
        "_version",
        "ledger_id",
        "pending",
    )

    def __init__(self, adds: "ConnectionAdds", key: _Key) -> None:
        self._adds = adds
        self._key = key
        self._version, self.ledger_id, _, _ = key
        self._lac = -1
        self._txn_ids: dict[int, list[int]] = {}
        self.pending = 0

    def note(self, count: int, last_header: bytes) -> None:
        """So many adds are on their way."""
        self.pending += count
        # A writer's LAC only rises; less than the highest is right too.
        self._lac = max(self._lac, lac_of(last_header))

    def note_txn_ids(self, txn_ids: Sequence[int], entry_ids: Sequence[int]) -> None:
        """Version 3: what the receipts of these adds are to carry."""
        for txn_id, entry_id in zip(txn_ids, entry_ids, strict=True):
            self._txn_ids.setdefault(entry_id, []).append(txn_id)

    def adds_completed(self, entry_ids: Sequence[int], status: Status) -> None:
        """See `magnetar_proto.bookie.AddSink`."""
        self.pending -= len(entry_ids)
        adds, ledger_id = self._adds, self.ledger_id
        if self._version == VERSION_3:
            rows = [(self._take_txn_id(entry_id), entry_id) for entry_id in entry_ids]
            adds.output.send(encode_adds_v3(ledger_id, rows, status))
        else:
            adds.output.send(encode_adds_v2(self._version, ledger_id, entry_ids, status))
        if status is Status.OK:
            adds.context.learn_lac(ledger_id, self._lac)
        if not self.pending:
            adds.forget(self._key)
        adds.ended(len(entry_ids))

    def _take_txn_id(self, entry_id: int) -> int:
        txn_ids = self._txn_ids[entry_id]
        if len(txn_ids) > 1:
            return txn_ids.pop(0)
        del self._txn_ids[entry_id]
        return txn_ids[0]


class _Part(NamedTuple):
    """Adds of one ledger that the bookie takes with one call: all ids differ."""

    entry_ids: Sequence[int]
    headers: Sequence[bytes]
    payloads: Sequence[bytes]
    txn_ids: Sequence[int]


class _Taken:
    """Adds of one ledger from one chunk, with equal key and flags."""

    __slots__ = ("entry_ids", "headers", "payloads", "txn_ids")

    def __init__(self) -> None:
        self.entry_ids: list[int] = []
        self.headers: list[bytes] = []
        self.payloads: list[bytes] = []
        self.txn_ids: list[int] = []

    def parts(self) -> Sequence[_Part]:
        """All, in as many parts as it needs so that no id stands twice in one."""
        ids = distinct(self.entry_ids)
        if ids is not None:
            return (_Part(ids, self.headers, self.payloads, self.txn_ids),)
        rows = zip(self.entry_ids, self.headers, self.payloads, self.txn_ids, strict=True)
        return [
            _Part((entry_id,), (header,), (payload,), (txn_id,))
            for entry_id, header, payload, txn_id in rows
        ]

    def append(self, entry_id: int, header: bytes, payload: bytes, txn_id: int) -> None:
        self.entry_ids.append(entry_id)
        self.headers.append(header)
        self.payloads.append(payload)
        self.txn_ids.append(txn_id)


class ConnectionAdds:
    """The adds of one connection.

    Attributes:
        pending: without receipts.
    """

    def __init__(self, context: ServiceContext, output: Output) -> None:
        self.context = context
        self.output: Output = output
        self.pending = 0
        self._ledgers: dict[_Key, LedgerAdds] = {}
        self._taken: dict[_Key, _Taken] = {}

    def take(self, request: AddRequest) -> None:
        """Note an add; it goes to the bookie with the next `hand_over`."""
        version, txn_id, flags, ledger_id, entry_id, master_key, header, payload = request
        key = (version, ledger_id, flags & _FLAGS, master_key)
        taken = self._taken.get(key)
        if taken is None:
            taken = self._taken[key] = _Taken()
        taken.append(entry_id, header, payload, txn_id)

    def hand_over(self) -> None:
        """Give the bookie what was taken, all of a ledger in one call."""
        if not self._taken:
            return
        everything, self._taken = self._taken, {}
        for key, taken in everything.items():
            version, _, flags, master_key = key
            for part in taken.parts():
                ledger = self._ledger(key)
                if version == VERSION_3:
                    ledger.note_txn_ids(part.txn_ids, part.entry_ids)
                self._add(ledger, flags, master_key, part)

    def add_run(self, run: AddRun) -> None:
        """Give the bookie adds that came as a run; what was taken before has been handed over."""
        ledger = self._ledger((run.version, run.ledger_id, run.flags, run.master_key))
        self._add(ledger, run.flags, run.master_key, run)

    def _ledger(self, key: _Key) -> LedgerAdds:
        ledger = self._ledgers.get(key)
        if ledger is None:
            ledger = self._ledgers[key] = LedgerAdds(self, key)
        return ledger

    def _add(self, ledger: LedgerAdds, flags: int, master_key: bytes, run: _Part | AddRun) -> None:
        count = len(run.entry_ids)
        ledger.note(count, run.headers[-1])
        self.pending += count
        if len(master_key) != MASTER_KEY_BYTES:
            ledger.adds_completed(run.entry_ids, Status.UNAUTHORIZED)
            return
        self.context.bookie.add(
            ledger.ledger_id, run.entry_ids, master_key, run.headers, run.payloads, flags, ledger
        )

    def force(self, txn_id: int, ledger_id: int) -> None:
        """Answer when all adds of the ledger are durable that came before, receipt or not."""

        def done(status: Status) -> None:
            self.output.respond(ForceLedgerResponse(txn_id, status, ledger_id))
            self.ended(1)

        self.pending += 1
        self.context.bookie.force(ledger_id, done)

    def write_lac(self, request: WriteLacRequest) -> None:
        """Keep a LAC; counts as an add that has no receipt, as a force does."""
        ledger_id = request.ledger_id

        def done(status: Status, body: bytes | None) -> None:
            self.output.respond(WriteLacResponse(request.txn_id, status, ledger_id))
            if status is Status.OK:
                self.context.learn_explicit_lac(ledger_id)
            self.ended(1)

        self.pending += 1
        if len(request.master_key) != MASTER_KEY_BYTES:
            done(Status.UNAUTHORIZED, None)
            return
        self.context.bookie.write_lac(
            ledger_id, request.lac, request.master_key, request.body, done
        )

    def forget(self, key: _Key) -> None:
        """No add of a ledger waits any more."""
        self._ledgers.pop(key, None)

    def ended(self, count: int) -> None:
        """So many have their receipts."""
        self.pending -= count
        self.output.adds_ended(count)
