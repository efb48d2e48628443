"""What can go wrong with a ledger, as one tree of exceptions.

LedgerError
├── LedgerFencedError         another client recovered the ledger: this writer must stop
├── LedgerClosedError         the ledger takes no more entries
├── NoSuchLedgerError         metadata knows no such ledger
├── NoSuchEntryError          the entry certainly does not exist
├── EntryUnreadableError      no replica could give the entry now: it may exist
├── DigestMismatchError       an entry's bytes are not what its writer wrote
├── UnauthorizedLedgerError   the password or digest type is not the ledger's
├── NotEnoughBookiesError     too few bookies to write or to recover
├── LedgerMetadataError       the metadata store refused, or its outcome is unknown
├── SilentBookieError         a bookie that is registered does not answer
├── RepairLockLostError       another may repair the ledger now
├── DecommissionError         a bookie cannot be taken out of the cluster now
├── ManagedLedgerFencedError  another broker owns the topic's ledgers now
├── ManagedLedgerTerminatedError  the topic takes no more entries, for good
└── NoSuchManagedLedgerError  metadata knows no such topic
"""


class LedgerError(Exception):
    """The base of all that can go wrong with a ledger."""


class LedgerFencedError(LedgerError):
    """Another client recovered the ledger: this writer must stop."""


class LedgerClosedError(LedgerError):
    """The ledger takes no more entries."""


class NoSuchLedgerError(LedgerError):
    """Metadata knows no such ledger."""


class NoSuchEntryError(LedgerError):
    """The entry certainly does not exist."""


class EntryUnreadableError(LedgerError):
    """No replica could give the entry now: it may exist."""


class DigestMismatchError(LedgerError):
    """An entry's bytes are not what its writer wrote."""


class UnauthorizedLedgerError(LedgerError):
    """The password or digest type is not the ledger's."""


class NotEnoughBookiesError(LedgerError):
    """Too few bookies to write or to recover."""


class LedgerMetadataError(LedgerError):
    """The metadata store refused, or its outcome is unknown."""


class SilentBookieError(LedgerError):
    """A bookie that is registered does not answer: whether it has its entries nobody knows."""


class RepairLockLostError(LedgerError):
    """The session of a repair has ended, and its lock with it: another may repair the ledger."""


class DecommissionError(LedgerError):
    """A bookie cannot be taken out of the cluster now."""


class ManagedLedgerFencedError(LedgerError):
    """Another broker owns the topic's ledgers now."""


class ManagedLedgerTerminatedError(LedgerError):
    """The topic takes no more entries, for good."""


class NoSuchManagedLedgerError(LedgerError):
    """Metadata knows no such topic."""
