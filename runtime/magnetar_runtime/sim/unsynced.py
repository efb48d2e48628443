"""Files and directories whose changes become durable when they are synced. Pure."""

from dataclasses import dataclass, field
from random import Random

from magnetar_runtime.sim.losses import (
    Change,
    LossPolicy,
    NameChange,
    apply,
    apply_name,
    kept_changes,
    kept_names,
)
from magnetar_runtime.sim.pages import Pages


class UnsyncedFile:
    """A file's bytes as read, as durable, and the changes in between.

    After a failed sync they may differ without a change in between, as in a real page cache.
    """

    __slots__ = ("changes", "durable", "now")

    def __init__(self) -> None:
        self.now = Pages()
        self.durable = Pages()
        self.changes: list[Change] = []

    def fork(self) -> "UnsyncedFile":
        """The same state; neither sees what happens to the other."""
        other = UnsyncedFile()
        other.now, other.durable = self.now.copy(), self.durable.copy()
        other.changes = self.changes.copy()
        return other

    def change(self, change: Change) -> None:
        """Do a change that is not durable yet."""
        apply(self.now, change)
        self.changes.append(change)

    def sync(self) -> None:
        """Make it all durable."""
        for change in self.changes:
            apply(self.durable, change)
        self.changes.clear()

    def cut(self, policy: LossPolicy, rng: Random) -> None:
        """What is found after a power cut."""
        for change in kept_changes(self.changes, policy, rng):
            apply(self.durable, change)
        self.changes.clear()
        self.now = self.durable.copy()


@dataclass(slots=True)
class UnsyncedNames:
    """A directory: names and their inodes, as seen, as durable, and the changes in between."""

    now: dict[str, int] = field(default_factory=dict)
    durable: dict[str, int] = field(default_factory=dict)
    changes: list[NameChange] = field(default_factory=list)

    def fork(self) -> "UnsyncedNames":
        """The same state; neither sees what happens to the other."""
        return UnsyncedNames(self.now.copy(), self.durable.copy(), self.changes.copy())

    def change(self, change: NameChange) -> None:
        """Do a change that is not durable yet."""
        apply_name(self.now, change)
        self.changes.append(change)

    def sync(self) -> None:
        """Make it all durable."""
        for change in self.changes:
            apply_name(self.durable, change)
        self.changes.clear()

    def cut(self, policy: LossPolicy, rng: Random) -> None:
        """What is found after a power cut."""
        for change in kept_names(self.changes, policy, rng):
            apply_name(self.durable, change)
        self.changes.clear()
        self.now = self.durable.copy()
