"""The tree against a plain model, and its sequence numbers."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from magnetar_metadata.errors import MetadataError, NotEmptyError
from magnetar_metadata.store import (
    ANY_VERSION,
    BadVersionError,
    Check,
    Create,
    Delete,
    NodeExistsError,
    NoNodeError,
    Operation,
    SetValue,
)
from magnetar_metadata.tree import NodeTree, check_path, parent_of

PATHS = st.sampled_from(["/a", "/b", "/a/c", "/a/d", "/a/c/e", "/b/f"])
VERSIONS = st.sampled_from([ANY_VERSION, 0, 1, 2])
OPERATIONS: st.SearchStrategy[Operation] = st.one_of(
    st.builds(Create, PATHS, st.binary(max_size=2)),
    st.builds(SetValue, PATHS, st.binary(max_size=2), VERSIONS),
    st.builds(Delete, PATHS, VERSIONS),
    st.builds(Check, PATHS, VERSIONS),
)


@dataclass
class Model:
    """Values and versions by path; multi works on a copy."""

    nodes: dict[str, tuple[bytes, int]] = field(default_factory=dict)

    def multi(self, operations: list[Operation]) -> None:
        nodes = dict(self.nodes)
        for operation in operations:
            self.apply(nodes, operation)
        self.nodes = nodes

    @staticmethod
    def apply(nodes: dict[str, tuple[bytes, int]], operation: Operation) -> None:
        path = operation.path
        if isinstance(operation, Create):
            if parent_of(path) not in nodes and parent_of(path) != "/":
                raise NoNodeError(path)
            if path in nodes:
                raise NodeExistsError(path)
            nodes[path] = (operation.value, 0)
            return
        if path not in nodes:
            raise NoNodeError(path)
        if operation.version not in (ANY_VERSION, nodes[path][1]):
            raise BadVersionError(path)
        if isinstance(operation, SetValue):
            nodes[path] = (operation.value, nodes[path][1] + 1)
        if isinstance(operation, Delete):
            if any(parent_of(other) == path for other in nodes):
                raise NotEmptyError(path)
            del nodes[path]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(OPERATIONS, max_size=4), max_size=12))
def test_the_tree_does_what_the_model_does(transactions: list[list[Operation]]) -> None:
    tree, model = NodeTree(), Model()
    for operations in transactions:
        try:
            model.multi(operations)
            expected: type[Exception] | None = None
        except MetadataError as error:
            expected = type(error)
        if expected is None:
            tree.multi(operations, 1, 0)
        else:
            with pytest.raises(expected):
                tree.multi(operations, 1, 0)
        found = {path: (node.value, node.version) for path, node in tree.nodes.items()}
        assert found.pop("/") == (b"", 0)
        assert found == model.nodes
        for path in tree.nodes:
            below = {p for p in model.nodes if parent_of(p) == path}
            assert {f"{path.rstrip('/')}/{c}" for c in tree.children(path)} == below


def test_touched_paths_are_all_that_a_file_must_rewrite() -> None:
    tree = NodeTree()

    def create(path: str, sequential: bool = False) -> tuple[str, list[str]]:
        return tree.create(path, b"", owner=0, sequential=sequential, make_parents=True, now_ms=0)

    assert set(create("/a/b/c")[1]) == {"/", "/a", "/a/b", "/a/b/c"}
    assert set(create("/a/b/ID-", True)[1]) >= {"/a/b", "/a/b/ID-0000000000"}
    assert tree.set("/a", b"1", ANY_VERSION, 0) == ["/a"]
    assert set(tree.delete("/a/b/c", ANY_VERSION)) >= {"/a/b/c"}


def test_a_taken_sequential_name_is_skipped() -> None:
    tree = NodeTree()

    def create(path: str, sequential: bool) -> str:
        return tree.create(path, b"", owner=0, sequential=sequential, make_parents=True, now_ms=0)[
            0
        ]

    create("/q/0000000000", False)
    assert create("/q/", True) == "/q/0000000001"
    assert create("/q/", True) == "/q/0000000002"


def test_the_root_stays() -> None:
    with pytest.raises(MetadataError):
        NodeTree().delete("/", ANY_VERSION)
    check_path("/")
