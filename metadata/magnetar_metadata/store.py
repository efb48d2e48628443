"""The metadata store interface: a tree of small versioned values, as ZooKeeper has.

Implementations: `memory` (tests, simulation), `sqlite` (standalone), ZooKeeper (a cluster). One
contract suite (`tests/metadata/store_contract.py`) runs on all of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

ANY_VERSION: Final = -1


class MetadataError(Exception):
    """A store call did not do what was asked. `path` says on which node."""

    def __init__(self, path: str, reason: str = "") -> None:
        super().__init__(f"{path}: {reason}" if reason else path)
        self.path = path


class NoNodeError(MetadataError):
    """The node, or the parent of a node to create, is not there."""


class NodeExistsError(MetadataError):
    """A node of that path is there already."""


class BadVersionError(MetadataError):
    """Somebody changed the node since it was read."""


class NotEmptyError(MetadataError):
    """The node has children, or is to get some and is ephemeral."""


class UnknownOutcomeError(MetadataError):
    """The connection went while the call was under way, or none came: it may have happened or not.

    It happens at most once: no store repeats a write.
    """


class SessionExpiredError(MetadataError):
    """The session has ended, and its ephemeral nodes with it. The call was not made."""


@dataclass(frozen=True, slots=True)
class Stat:
    """What the store knows of a node besides its value. `version` starts at 0."""

    version: int
    created_ms: int
    modified_ms: int
    ephemeral_owner: int  # the session id, 0 for a persistent node


@dataclass(frozen=True, slots=True)
class Node:
    """A value as it was read."""

    value: bytes
    stat: Stat


@dataclass(frozen=True, slots=True)
class Create:
    """A step of `multi`: make a node. Its parent must be there."""

    path: str
    value: bytes
    ephemeral: bool = False


@dataclass(frozen=True, slots=True)
class SetValue:
    """A step of `multi`: change a value if its version is still this."""

    path: str
    value: bytes
    version: int = ANY_VERSION


@dataclass(frozen=True, slots=True)
class Delete:
    """A step of `multi`: remove a node without children if its version is still this."""

    path: str
    version: int = ANY_VERSION


@dataclass(frozen=True, slots=True)
class Check:
    """A step of `multi`: fail unless the node has this version."""

    path: str
    version: int


Operation = Create | SetValue | Delete | Check


class MetadataStore(Protocol):
    """Versioned nodes under slash-separated paths. All calls may raise `UnknownOutcomeError`."""

    async def get(self, path: str) -> Node | None:
        """The node, or None if there is none."""

    async def create(
        self,
        path: str,
        value: bytes,
        *,
        ephemeral: bool = False,
        sequential: bool = False,
        make_parents: bool = True,
    ) -> str:
        """Make a node and return its path (with ten digits behind it if `sequential`).

        Raises:
            NodeExistsError: it is there already.
            NoNodeError: its parent is missing and `make_parents` is false.
        """

    async def set(self, path: str, value: bytes, version: int = ANY_VERSION) -> Stat:
        """Change the value if the node's version is still `version`.

        Raises:
            NoNodeError, BadVersionError
        """

    async def delete(self, path: str, version: int = ANY_VERSION) -> None:
        """Remove a node.

        Raises:
            NoNodeError, BadVersionError, NotEmptyError
        """

    async def children(self, path: str) -> list[str]:
        """Names (not paths) of the children, sorted; empty if there is no such node."""

    async def multi(self, operations: Sequence[Operation]) -> None:
        """All of the operations, or none of them: raises what the first failing one would."""

    async def sync(self, path: str) -> None:
        """Wait until reads see all that others had written to this path before."""

    def watch(self, path: str, hint: Callable[[str], None]) -> Callable[[], None]:
        """Call `hint(path)` after a change of the node or of its children: a hint to re-read.

        Hints may be merged or late, never missing for good: each change that a read begun after
        this call does not see is hinted at. So watch first, then read. Returns what ends the watch.
        """

    @property
    def session_id(self) -> int:
        """The session that owns ephemeral nodes made through this object.

        It may end and another follow: believe a node that is owned by this id, not a memory.
        """

    def when_session_ends(self, callback: Callable[[int], None]) -> None:
        """Call back with the session id when a session has ended other than by `close`.

        Its ephemeral nodes are gone. A store of a cluster then goes on with a new session; one that
        cannot go on raises `SessionExpiredError` from all calls.
        """

    async def close(self) -> None:
        """End the session; its ephemeral nodes go."""
