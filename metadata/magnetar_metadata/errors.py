"""Errors of this package.

MetadataError               a store call did not do what was asked (`magnetar_metadata.store`)
├── NoNodeError, NodeExistsError, BadVersionError, NotEmptyError
├── UnknownOutcomeError     it may have happened or not
├── SessionExpiredError
├── MalformedRecordError    a node's bytes are not what should stand there
├── UnknownLayoutError      ledgers stand where nobody here would look for them
├── LedgerExistsError       another client has a ledger of this id
├── TargetNotEmptyError     metadata is not copied over other metadata
├── CopyDiffersError        what was copied does not read back
├── WrongUrlError           what was given names no metadata store
├── StoreUnreachableError   no server of the store answers, or its root is not there
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
    "CopyDiffersError",
    "LedgerExistsError",
    "MalformedRecordError",
    "MetadataError",
    "NoNodeError",
    "NodeExistsError",
    "NotEmptyError",
    "SessionExpiredError",
    "StoreFileError",
    "StoreUnreachableError",
    "TargetNotEmptyError",
    "UnknownLayoutError",
    "UnknownOutcomeError",
    "WrongUrlError",
]


class MalformedRecordError(MetadataError):
    """A node's bytes are not what should stand there. `path` names the kind of record."""


class UnknownLayoutError(MetadataError):
    """The metadata of ledgers stands elsewhere than here: to look for it would find none."""


class LedgerExistsError(NodeExistsError):
    """Another client has made a ledger of this id."""


class StoreFileError(MetadataError):
    """The store's file cannot be opened, or is none of ours. `path` is the file's."""


class StoreUnreachableError(MetadataError):
    """No server of the store answers, or the store's root is not there. `path` is the address."""


class WrongUrlError(MetadataError):
    """What was given names no metadata store. `path` is what was given."""


class TargetNotEmptyError(MetadataError):
    """The target has nodes. `path` is one of them."""


class CopyDiffersError(MetadataError):
    """The target is not what was copied. `path` is the first node that differs."""
