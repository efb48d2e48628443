"""The file's format, and transactions that happen wholly or not."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from magnetar_metadata.sqlite_rows import FORMAT, load_tree, open_database, row_of, write_rows
from magnetar_metadata.tree import TreeNode


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "m.sqlite")


@pytest.fixture
def database(path: str) -> Iterator[sqlite3.Connection]:
    with closing(open_database(path)) as database:
        yield database


def test_commits_are_durable(database: sqlite3.Connection) -> None:
    (synchronous,) = database.execute("PRAGMA synchronous").fetchone()
    assert synchronous == 2  # FULL: in WAL mode NORMAL would not sync at a commit


def test_rows_come_back_as_nodes(database: sqlite3.Connection) -> None:
    root = TreeNode(b"", 0, 0, 0, 0, sequence=3)
    node = TreeNode(b"\0v", 2, 10, 20, 0, sequence=7)
    write_rows(database, [row_of("/", root), row_of("/a", node), row_of("/b", node)])
    write_rows(database, [row_of("/b", None)])
    tree = load_tree(database)
    assert tree.nodes.keys() == {"/", "/a"}
    assert tree.nodes["/a"] == node
    assert tree.nodes["/"].sequence == 3
    assert tree.children("/") == ["a"]


def test_an_ephemeral_node_is_never_in_the_file() -> None:
    assert row_of("/e", TreeNode(b"v", 0, 1, 1, 99))[1] is None


def test_a_failing_row_takes_the_others_with_it(database: sqlite3.Connection) -> None:
    bad: Any = ("/bad", b"", None, 0, 0, 0)
    with pytest.raises(sqlite3.IntegrityError):
        write_rows(database, [row_of("/a", TreeNode(b"", 0, 0, 0, 0)), bad])
    assert load_tree(database).nodes.keys() == {"/"}
    write_rows(database, [row_of("/a", TreeNode(b"", 0, 0, 0, 0))])  # no transaction is left open


def test_another_format_is_refused(path: str) -> None:
    open_database(path).close()
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA user_version={FORMAT + 1}")
    with pytest.raises(sqlite3.DatabaseError, match=f"format {FORMAT + 1}"):
        open_database(path)


def test_another_programs_file_is_refused(path: str) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE nodes (x)")
    with pytest.raises(sqlite3.DatabaseError):
        open_database(path)
