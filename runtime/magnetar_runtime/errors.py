"""Errors of this package.

MagnetarRuntimeError
├── DirectoryLockedError   another process holds the data directory
└── ConfError              a configuration file or value cannot be used

Calls on files raise `magnetar_runtime.disk.DiskError`, which is an OSError.
"""


class MagnetarRuntimeError(Exception):
    """Root of the tree; each message is a sentence for the person at the terminal."""


class DirectoryLockedError(MagnetarRuntimeError):
    """The directory is in use by another process."""

    def __init__(self, path: str, holder: str) -> None:
        super().__init__(f"{path} is in use by another process{holder and f' (pid {holder})'}")
        self.path = path


class ConfError(MagnetarRuntimeError):
    """A key's value cannot be read; `key` names it."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"{key}: {problem}")
        self.key = key
