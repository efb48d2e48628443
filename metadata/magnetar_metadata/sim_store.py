"""The standalone's metadata store on a simulated disk: a commit is one crash boundary."""

import os
from collections.abc import Sequence

from magnetar_runtime.clock import Clock
from magnetar_runtime.disk import Worker
from magnetar_runtime.sim.disk import SimDisk

from magnetar_metadata.sqlite import SqliteStore
from magnetar_metadata.sqlite_rows import Row
from magnetar_metadata.tree import NodeTree, TreeNode


class SimRows:
    """The rows of a store's nodes as an image on a simulated disk; a `NodeFile`."""

    def __init__(self, disk: SimDisk, path: str) -> None:
        self._disk = disk
        self._path = path
        if not disk.exists(path):
            disk.create(path).close()
            disk.sync_directory(os.path.dirname(path) or ".")  # SQLite does, with its first commit
        self._rows: dict[str, Row] = disk.image(path) or {}

    def tree(self) -> NodeTree:
        """All nodes."""
        tree = NodeTree()
        for path, value, version, created_ms, modified_ms, sequence in sorted(self._rows.values()):
            assert value is not None
            node = TreeNode(value, version, created_ms, modified_ms, 0, sequence=sequence)
            if path == "/":
                tree.nodes["/"] = node
            else:
                tree.insert(path, node)
        return tree

    def write(self, rows: Sequence[Row]) -> None:
        """Make all rows durable, or none."""
        image = self._rows.copy()
        for row in rows:
            if row[1] is None:
                image.pop(row[0], None)
            else:
                image[row[0]] = row
        self._disk.commit(self._path, image)
        self._rows = image

    def close(self) -> None:
        """Nothing is held."""


class SimStore(SqliteStore):
    """`SqliteStore` with the same decisions and group commits, its file simulated."""

    @classmethod
    def on(cls, disk: SimDisk, path: str, clock: Clock, worker: Worker) -> "SimStore":
        """Open the store that this disk has at a path, or begin one.

        Args:
            worker: a simulated one, that the store closes.
        """
        rows = SimRows(disk, path)
        store = cls(path, clock, worker, rows, rows.tree())
        store._session_id = clock.wall_ms() << 20  # the same in every process
        return store
