"""Planned errors of a simulated disk."""

import errno
from dataclasses import dataclass


@dataclass(slots=True)
class Fault:
    """A planned error.

    Attributes:
        step: the step that fails: write, sync, allocate, create, rename, unlink, sync_directory...
        path_part: of the paths that it fails for.
        error: an errno, as EIO or ENOSPC. After an EIO of `sync` the data is gone, and the next
            sync succeeds.
        skip: so many succeed before.
        times: so many fail.
    """

    step: str
    path_part: str = ""
    error: int = errno.EIO
    skip: int = 0
    times: int = 1

    def strikes(self, step: str, path: str) -> bool:
        """Whether this step fails; counts it."""
        if step != self.step or self.path_part not in path or not self.times:
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.times -= 1
        return True
