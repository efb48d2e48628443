"""The SQLite file of a metadata store: one row per persistent node. Called on the store's thread.

Format 1, described in docs/formats.md: `user_version` is the format, `application_id` marks the
file as ours.
"""

import sqlite3
from collections.abc import Sequence
from typing import Final

from magnetar_metadata.tree import NodeTree, TreeNode

FORMAT: Final = 1
_APPLICATION_ID: Final = 0x4D61676E

Row = tuple[str, bytes | None, int, int, int, int]
"""Path, value (None: no such node any more), version, created, modified, next sequence number."""

_CREATE_TABLE = """
CREATE TABLE nodes (
    path TEXT PRIMARY KEY,
    value BLOB NOT NULL,
    version INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    modified_ms INTEGER NOT NULL,
    sequence INTEGER NOT NULL
) WITHOUT ROWID
"""


def open_database(path: str) -> sqlite3.Connection:
    """Open the file for this process alone, and make its table if it is new.

    Raises:
        sqlite3.Error
    """
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        database.execute("PRAGMA locking_mode=EXCLUSIVE")
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")  # a commit is durable when it returns
        database.execute("PRAGMA fullfsync=ON")  # macOS: past the drive's own cache
        _check_format(database)
    except sqlite3.Error:
        database.close()
        raise
    return database


def load_tree(database: sqlite3.Connection) -> NodeTree:
    """All nodes, parents before children."""
    tree = NodeTree()
    columns = "path, value, version, created_ms, modified_ms, sequence"
    for path, value, version, created_ms, modified_ms, sequence in database.execute(
        f"SELECT {columns} FROM nodes ORDER BY path"  # noqa: S608 - no outside text
    ):
        node = TreeNode(value, version, created_ms, modified_ms, 0, sequence=sequence)
        if path == "/":
            tree.nodes["/"] = node
        else:
            tree.insert(path, node)
    return tree


def row_of(path: str, node: TreeNode | None) -> Row:
    """What the file shall hold of a path. An ephemeral node is nothing to the file."""
    if node is None or node.ephemeral_owner:
        return path, None, 0, 0, 0, 0
    return path, node.value, node.version, node.created_ms, node.modified_ms, node.sequence


def write_rows(database: sqlite3.Connection, rows: Sequence[Row]) -> None:
    """All rows in one transaction, durable at return. Raises sqlite3.Error: none or all are."""
    kept = [row for row in rows if row[1] is not None]
    gone = [(row[0],) for row in rows if row[1] is None]
    database.execute("BEGIN IMMEDIATE")
    try:
        database.executemany("INSERT OR REPLACE INTO nodes VALUES (?, ?, ?, ?, ?, ?)", kept)
        database.executemany("DELETE FROM nodes WHERE path = ?", gone)
        database.execute("COMMIT")
    except sqlite3.Error:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


def _check_format(database: sqlite3.Connection) -> None:
    application_id = database.execute("PRAGMA application_id").fetchone()[0]
    found = database.execute("PRAGMA user_version").fetchone()[0]
    empty = database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    if empty and not application_id and not found:
        database.execute("BEGIN IMMEDIATE")
        database.execute(_CREATE_TABLE)
        database.execute(f"PRAGMA application_id={_APPLICATION_ID}")
        database.execute(f"PRAGMA user_version={FORMAT}")
        database.execute("COMMIT")
    elif application_id != _APPLICATION_ID or found != FORMAT:
        raise sqlite3.DatabaseError(
            f"no metadata store of format {FORMAT} (application {application_id}, format {found})"
        )
