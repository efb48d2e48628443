"""Who is told what becomes of appends."""

from typing import Protocol

from magnetar_ledger.errors import LedgerError
from magnetar_ledger.writer import LedgerWriter


class AppendSink(Protocol):
    """Takes the ends of adds, in the order of the adds. Never called inside `add`."""

    def entries_appended(self, ledger_id: int, first_entry_id: int, count: int) -> None:
        """The `count` oldest pending adds are durable, with ids from `first_entry_id` on."""

    def append_failed(self, count: int, error: LedgerError) -> None:
        """The `count` oldest pending adds failed; whether they are stored is unknown."""


class ConfirmedSink(Protocol):
    """Takes payloads with their places, before the adds are reported as appended."""

    def entries_confirmed(
        self, ledger_id: int, first_entry_id: int, payloads: list[bytes], size_bytes: int
    ) -> None: ...

    def ledger_changed(self, writer: LedgerWriter) -> None:
        """Entries go to this writer's ledger from now on."""

    def fenced(self, error: LedgerError) -> None:
        """Another owner was found to write."""
