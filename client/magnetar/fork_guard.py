"""A client does not outlive a fork: the child says so instead of hanging.

Parent and child would share sockets and an event loop. In the child every client that was made
before is dead, and says what to do.
"""

import os
import weakref
from typing import Protocol


class Forkable(Protocol):
    """What must not be used in a child."""

    def forked(self) -> None:
        """This is the child now. Called before anything else runs there; must not raise."""


_guarded: "weakref.WeakSet[Forkable]" = weakref.WeakSet()


def guard(each: Forkable) -> None:
    """Have its `forked` called in children."""
    _guarded.add(each)


def _tell() -> None:
    for each in list(_guarded):
        each.forked()
    _guarded.clear()


os.register_at_fork(after_in_child=_tell)
