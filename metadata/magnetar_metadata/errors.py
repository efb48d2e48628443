"""Errors of this package.

MetadataError               a store call did not do what was asked (`magnetar_metadata.store`)
├── NoNodeError, NodeExistsError, BadVersionError, NotEmptyError
├── UnknownOutcomeError     it may have happened or not
├── SessionExpiredError
├── MalformedRecordError    a node's bytes are not what should stand there
├── LedgerExistsError       another client has a ledger of this id
└── StoreFileError          the store's file cannot be used
"""

from magnetar_metadata.store import (
    BadVersionError,
    MetadataError,
    NodeExistsError,
    NoNodeError,
    NotEmptyError,
    SessionExpiredError,
    UnknownOutcomeError,
)

__all__ = [
    "BadVersionError",
    "LedgerExistsError",
    "MalformedRecordError",
    "MetadataError",
    "NoNodeError",
    "NodeExistsError",
    "NotEmptyError",
    "SessionExpiredError",
    "StoreFileError",
    "UnknownOutcomeError",
]


class MalformedRecordError(MetadataError):
    """A node's bytes are not what should stand there. `path` names the kind of record."""


class LedgerExistsError(NodeExistsError):
    """Another client has made a ledger of this id."""


class StoreFileError(MetadataError):
    """The store's file cannot be opened, or is none of ours. `path` is the file's."""
