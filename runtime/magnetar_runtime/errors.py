"""Errors of this package.

MagnetarRuntimeError
├── DirectoryLockedError   another process holds the data directory
├── ConfError              a configuration file or value cannot be used
└── SimulationError        a simulation cannot go on
    ├── DeadlockError      nothing will ever happen again, and the main task is not done
    ├── SimulationLimitError   it took more turns or virtual time than it may
    └── NotSimulatedError  a thread, a socket or the like of the real machine was asked for

Calls on files raise `magnetar_runtime.disk.DiskError`, which is an OSError.
"""


class MagnetarRuntimeError(Exception):
    """Root of the tree; each message is a sentence for the person at the terminal."""


class DirectoryLockedError(MagnetarRuntimeError):
    """The directory is in use by another process, or by this one under another name.

    Args:
        holder: the process id that the lock file names; empty if it names none.
        own: that is the id of this process too. In another container it may be another one.
    """

    def __init__(self, path: str, holder: str, *, own: bool = False) -> None:
        by = f" (pid {holder})" if holder else ""
        doubt = "; that is this process's own id: is the directory named twice?" if own else ""
        super().__init__(f"{path} is in use by another process{by}{doubt}")
        self.path = path


class ConfError(MagnetarRuntimeError):
    """A key's value cannot be read; `key` names it."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"{key}: {problem}")
        self.key = key


class SimulationError(MagnetarRuntimeError):
    """A simulation cannot go on."""


class DeadlockError(SimulationError):
    """No callback is ready and no timer will make one so; the message names who waits."""


class SimulationLimitError(SimulationError):
    """More turns or virtual time than the simulation may take."""


class NotSimulatedError(SimulationError):
    """The code under test reached for the real machine."""
