"""The tree of versioned nodes: what a call changes, decided in memory without waiting.

Both local stores keep one. `MemoryStore` has nothing else; `SqliteStore` writes down the rows of
the paths that a call touched before it tells the caller.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from magnetar_metadata.store import (
    ANY_VERSION,
    BadVersionError,
    Check,
    Create,
    Delete,
    MetadataError,
    Node,
    NodeExistsError,
    NoNodeError,
    NotEmptyError,
    Operation,
    SetValue,
    Stat,
)


@dataclass(slots=True)
class TreeNode:
    """One node as it is kept. Replaced fields only: a reader holds a `Node` of its own."""

    value: bytes
    version: int
    created_ms: int
    modified_ms: int
    ephemeral_owner: int
    children: set[str] = field(default_factory=set)
    sequence: int = 0  # the number that the next sequential child gets

    def stat(self) -> Stat:
        return Stat(self.version, self.created_ms, self.modified_ms, self.ephemeral_owner)


def check_path(path: str) -> None:
    """Refuse what is no absolute path: programs make paths, so this is for names from outside.

    Raises:
        MetadataError
    """
    if path == "/":
        return
    if not path.startswith("/") or path.endswith("/") or "//" in path or "\0" in path:
        raise MetadataError(path, "not a path")
    if any(name in (".", "..") for name in path.split("/")):
        raise MetadataError(path, "a path has no relative names")


def parent_of(path: str) -> str:
    return path.rpartition("/")[0] or "/"


class NodeTree:
    """Nodes by path. The root is always there.

    Each changing call returns the paths it touched: nodes made, changed or removed, and the parents
    whose children or sequence changed.
    """

    def __init__(self) -> None:
        self.nodes: dict[str, TreeNode] = {"/": TreeNode(b"", 0, 0, 0, 0)}

    def get(self, path: str) -> Node | None:
        check_path(path)
        node = self.nodes.get(path)
        return None if node is None else Node(node.value, node.stat())

    def children(self, path: str) -> list[str]:
        check_path(path)
        node = self.nodes.get(path)
        return [] if node is None else sorted(node.children)

    def create(
        self,
        path: str,
        value: bytes,
        *,
        owner: int,
        sequential: bool,
        make_parents: bool,
        now_ms: int,
    ) -> tuple[str, list[str]]:
        """Make a node, owned by the session `owner` or, if 0, persistent. Returns its path too."""
        # A sequential path may end in a slash: then the child's name is the number alone.
        check_path(path + "0" if sequential else path)
        parent_path = parent_of(path)
        touched = self._make_parents(parent_path, now_ms) if make_parents else []
        parent = self._parent_for_child(parent_path, path)
        if sequential:
            path = self._next_sequential(parent, path)
        elif path in self.nodes:
            raise NodeExistsError(path)
        self.insert(path, TreeNode(value, 0, now_ms, now_ms, owner))
        return path, [*touched, parent_path, path]

    def set(self, path: str, value: bytes, version: int, now_ms: int) -> list[str]:
        node = self._node_at(path, version)
        node.value = value
        node.version += 1
        node.modified_ms = now_ms
        return [path]

    def delete(self, path: str, version: int) -> list[str]:
        node = self._node_at(path, version)
        if node.children:
            raise NotEmptyError(path)
        if path == "/":
            raise MetadataError(path, "the root stays")
        parent_path = parent_of(path)
        del self.nodes[path]
        self.nodes[parent_path].children.discard(path.rpartition("/")[2])
        return [parent_path, path]

    def multi(self, operations: Sequence[Operation], owner: int, now_ms: int) -> list[str]:
        """All operations or none: what was done before the failing one is put back."""
        before: dict[str, TreeNode | None] = {}
        touched: list[str] = []
        try:
            for operation in operations:
                self._remember(operation.path, before)
                touched += self._apply(operation, owner, now_ms)
        except MetadataError:
            self._put_back(before)
            raise
        return touched

    def owned_by(self, session_id: int) -> list[str]:
        """Paths of the ephemeral nodes of a session."""
        return [path for path, node in self.nodes.items() if node.ephemeral_owner == session_id]

    def insert(self, path: str, node: TreeNode) -> None:
        """Put a node into its place; the parent is there."""
        self.nodes[path] = node
        self.nodes[parent_of(path)].children.add(path.rpartition("/")[2])

    def _apply(self, operation: Operation, owner: int, now_ms: int) -> list[str]:
        match operation:
            case Create(path, value, ephemeral):
                return self.create(
                    path,
                    value,
                    owner=owner if ephemeral else 0,
                    sequential=False,
                    make_parents=False,
                    now_ms=now_ms,
                )[1]
            case SetValue(path, value, version):
                return self.set(path, value, version, now_ms)
            case Delete(path, version):
                return self.delete(path, version)
            case Check(path, version):
                self._node_at(path, version)
                return []

    def _node_at(self, path: str, version: int) -> TreeNode:
        check_path(path)
        node = self.nodes.get(path)
        if node is None:
            raise NoNodeError(path)
        if version not in (ANY_VERSION, node.version):
            raise BadVersionError(path, f"has version {node.version}, not {version}")
        return node

    def _parent_for_child(self, parent_path: str, path: str) -> TreeNode:
        parent = self.nodes.get(parent_path)
        if parent is None:
            raise NoNodeError(path, f"{parent_path} is missing")
        if parent.ephemeral_owner:
            raise NotEmptyError(path, f"{parent_path} is ephemeral and can have no children")
        return parent

    def _next_sequential(self, parent: TreeNode, prefix: str) -> str:
        while True:
            path = f"{prefix}{parent.sequence:010d}"
            parent.sequence += 1
            if path not in self.nodes:
                return path

    def _make_parents(self, path: str, now_ms: int) -> list[str]:
        missing: list[str] = []
        while path not in self.nodes:
            missing.append(path)
            path = parent_of(path)
        if missing and self.nodes[path].ephemeral_owner:
            raise NotEmptyError(path, "is ephemeral and can have no children")
        for path_to_make in reversed(missing):
            self.insert(path_to_make, TreeNode(b"", 0, now_ms, now_ms, 0))
        return [path, *reversed(missing)] if missing else []

    def _remember(self, path: str, before: dict[str, TreeNode | None]) -> None:
        for touched in (path, parent_of(path)):
            if touched in before:
                continue
            node = self.nodes.get(touched)
            before[touched] = node and TreeNode(
                node.value,
                node.version,
                node.created_ms,
                node.modified_ms,
                node.ephemeral_owner,
                set(node.children),
                node.sequence,
            )

    def _put_back(self, before: dict[str, TreeNode | None]) -> None:
        for path, node in before.items():
            if node is None:
                self.nodes.pop(path, None)
            else:
                self.nodes[path] = node
