"""Heads of the messages of one consumer, several times as fast as one by one."""

from collections.abc import Sequence
from struct import Struct
from typing import Final

from magnetar_proto.replies import message_head
from magnetar_proto.varints import varint

_SIZE: Final = Struct(">I")


class MessageHeads:
    """In a run of entries of one ledger all repeats but the size of the frame and the entry id.

    So a head is cut in three: size, a middle part, entry id and an end; the middle is good for all
    entries whose ids take as many bytes.
    """

    __slots__ = (
        "_behind",
        "_consumer_id",
        "_fixed_bytes",
        "_from",
        "_ledger_id",
        "_middle",
        "_partition",
        "_until",
    )

    def __init__(self, consumer_id: int, partition: int) -> None:
        self._consumer_id = consumer_id
        self._partition = partition
        self._ledger_id = -1
        self._from = self._until = 0
        self._fixed_bytes = 0
        self._middle = self._behind = b""

    def before_each(
        self, ledger_id: int, first_entry_id: int, payloads: Sequence[bytes]
    ) -> list[bytes]:
        """The payloads of entries that follow on, each behind its head."""
        parts: list[bytes] = []
        done = 0
        while done < len(payloads):
            entry_id = first_entry_id + done
            if ledger_id != self._ledger_id or not self._from <= entry_id < self._until:
                self._prepare(ledger_id, entry_id)
            part = payloads[done : done + self._until - entry_id]
            self._append(parts, entry_id, part)
            done += len(part)
        return parts

    def _append(self, parts: list[bytes], entry_id: int, payloads: Sequence[bytes]) -> None:
        pack, fixed_bytes = _SIZE.pack, self._fixed_bytes
        middle, behind = self._middle, self._behind
        for payload in payloads:
            size = pack(fixed_bytes + len(payload))
            parts += (size + middle + varint(entry_id) + behind, payload)
            entry_id += 1

    def _prepare(self, ledger_id: int, entry_id: int) -> None:
        head = message_head(self._consumer_id, ledger_id, entry_id, self._partition, 0, (), 0)
        entry_bytes = len(varint(entry_id))
        # The partition is the last field, one byte of key and the index, with the entry id before.
        end = len(head) - 1 - len(varint(self._partition))
        (self._fixed_bytes,) = _SIZE.unpack_from(head)
        self._middle = head[_SIZE.size : end - entry_bytes]
        self._behind = head[end:]
        self._ledger_id = ledger_id
        self._from = 1 << 7 * (entry_bytes - 1) if entry_bytes > 1 else 0
        self._until = 1 << 7 * entry_bytes
