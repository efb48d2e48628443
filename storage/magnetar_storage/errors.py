"""Errors of this package.

StorageError
├── ConfigError             limits that cannot work together
├── DirectoryError          directories that do not belong together, or of another format
├── FormatError             bytes on disk that are not what they should be
│   ├── JournalFormatError
│   └── EntryLogFormatError
├── IndexDamagedError       the location index is not what was written
├── IndexFailedError        the location index could not take a commit
└── OutOfUseError           the engine met an error of its disk and serves reads only

Calls on files raise `magnetar_runtime.disk.DiskError`, which is an OSError. Calls of the bookie
interface raise nothing: their ends are `Status` codes.
"""


class StorageError(Exception):
    """Root of the tree; each message is a sentence for the person at the terminal."""


class ConfigError(StorageError):
    """Limits that cannot work together."""


class DirectoryError(StorageError):
    """A data directory that this bookie must not open."""


class FormatError(StorageError):
    """Bytes on disk that are not what they should be."""


class JournalFormatError(FormatError):
    """A journal file or group that is not whole."""


class EntryLogFormatError(FormatError):
    """An entry log or block that is not whole."""


class IndexDamagedError(StorageError):
    """The location index is not what was written: it is made anew from the entry logs."""


class IndexFailedError(StorageError):
    """The location index could not take a commit; nothing of it is there."""


class OutOfUseError(StorageError):
    """The engine met an error of its disk; it serves reads, and nothing else until a restart."""
