"""The rows of publishes that are under way: messages, repeats of messages, and things to do.

A row is a tuple, and the queue of a topic holds one per message: no object with a name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from magnetar_proto.replies import send_receipts
from magnetar_proto.varints import NONE

from magnetar_broker.deduplication import Deduplication, Verdict

if TYPE_CHECKING:
    from magnetar_broker.producer import Producer

NO_SEQUENCE_ID: Final = NONE
"""-1 as the protocol writes it: the highest sequence id of a message that is no batch."""

ACTION: Final = -1
"""The size of a pending row that is no message: a thing to do when its turn has come."""
REPEAT: Final = -2
"""The size of a repeat that is answered in its turn is this minus its own."""
STORED: Final = -1
"""The messages of a repeat that is known to be stored."""

PendingRow = tuple["Producer", int, int, int, int]
"""Producer, sequence id, highest sequence id, size in bytes (or `ACTION`), messages.

Of a repeat the size is negative; where it is known to be stored, the last is `STORED`.
"""


def without_repeats(
    dedup: Deduplication, rows: list[PendingRow], payloads: list[bytes]
) -> tuple[list[PendingRow], list[bytes], int]:
    """The rows, with those of repeats marked; the payloads of the others; how many repeats."""
    admit = dedup.admit
    marked: list[PendingRow] = []
    new: list[bytes] = []
    for row, payload in zip(rows, payloads, strict=True):
        producer, sequence_id, highest, size, messages = row
        verdict = admit(producer.name, sequence_id, highest, messages, payload)
        if verdict is Verdict.NEW:
            marked.append(row)
            new.append(payload)
            continue
        if verdict is Verdict.STORED:
            messages = STORED
        marked.append((producer, sequence_id, highest, REPEAT - size, messages))
    return marked, new, len(rows) - len(new)


def confirm_run(
    producer: Producer,
    ledger_id: int,
    first_entry_id: int,
    sequence_ids: Sequence[int],
    highest_sequence_ids: Sequence[int],
    sizes: Sequence[int],
) -> None:
    """Send the receipts of messages of one producer that were stored one behind the other."""
    connection = producer.connection
    connection.send(
        send_receipts(
            producer.producer_id, ledger_id, first_entry_id, sequence_ids, highest_sequence_ids
        )
    )
    connection.publishes_ended(len(sizes), sum(sizes))


def reported_sequence_id(sequence_id: int, highest_sequence_id: int) -> int:
    """By which an error names a failed send."""
    if highest_sequence_id == NO_SEQUENCE_ID:
        return sequence_id
    return max(sequence_id, highest_sequence_id)
