"""Whether the file of an LMDB environment is whole, looked at before LMDB maps it. Pure.

LMDB believes every byte: a bit that is turned over can hide a row, so that an entry is called
absent, or send LMDB to an address that is not there, which ends the process. So the file is walked
as plain bytes: each page that can be reached is what it should be and is reached once, keys ascend
and fit what stands above them, and the counts are right. What a page's rows say is for the caller
to check. The format is that of LMDB 0.9 (data version 1).
"""

from collections.abc import Callable, Iterator
from struct import Struct
from typing import Final, NamedTuple

from magnetar_storage.errors import IndexDamagedError

_PAGE = Struct("<QHHHH")
_OVERFLOW = Struct("<QHHI")
_META = Struct("<IIQQ")
_TREE = Struct("<IHHQQQQQ")
_META_END = Struct("<QQ")
_NODE = Struct("<HHHH")
_NUMBER = Struct("<Q")
_HEADER_BYTES: Final = _PAGE.size
_MAGIC: Final = 0xBEEFC0DE
_VERSION: Final = 1
_BRANCH, _LEAF, _OVERFLOW_FLAG, _META_FLAG = 1, 2, 4, 8
_BIG, _SUB = 1, 2
_INTEGER_KEYS: Final = 8
_NO_PAGE: Final = (1 << 64) - 1
_MAX_DEPTH: Final = 32

Visit = Callable[[bytes, bytes, bytes], None]
"""Told of each named database's name, key and value; raises IndexDamagedError."""


class _Tree(NamedTuple):
    """Where a database begins and what it counts."""

    page_bytes: int
    flags: int
    depth: int
    branches: int
    leaves: int
    overflows: int
    entries: int
    root: int


class _Meta(NamedTuple):
    """One of the two pages that a commit writes in turn."""

    free: _Tree
    main: _Tree
    last_page: int
    transaction: int


def check_lmdb(data: memoryview, visit: Visit) -> None:
    """Walk a whole file.

    Raises:
        IndexDamagedError: something is not what LMDB wrote.
    """
    _Walk(data, visit).run()


class _Walk:
    def __init__(self, data: memoryview, visit: Visit) -> None:
        self._data = data
        self._visit = visit
        self._page_bytes = 0
        self._taken = bytearray()

    def run(self) -> None:
        meta = self._newest_meta()
        if len(self._data) < (meta.last_page + 1) * self._page_bytes:
            raise IndexDamagedError(f"the index is cut short behind {len(self._data)} bytes")
        _demand(not meta.main.page_bytes and not meta.main.flags, "the main tree is another kind")
        self._taken = bytearray(meta.last_page + 1)
        self._taken[:2] = b"\1\1"
        subtrees = [(key, self._subtree(value)) for key, value, _ in self._leaves_of(meta.main)]
        for name, tree in subtrees:
            for key, value, flags in self._leaves_of(tree):
                _demand(not flags & _SUB, "a row is a tree")
                self._visit(name, key, value)
        self._check_free(meta.free)

    def _newest_meta(self) -> _Meta:
        (self._page_bytes,) = self._unpack(Struct("<I"), _HEADER_BYTES + _META.size)
        size = self._page_bytes
        _demand(512 <= size <= 65536 and not size & (size - 1), "the page size is none")
        first, second = self._meta(0), self._meta(1)
        numbers = first.transaction, second.transaction
        _demand(
            numbers == (0, 0) or (abs(numbers[0] - numbers[1]) == 1 and not numbers[0] & 1),
            f"the last two commits are {numbers}",
        )
        return max(first, second, key=lambda meta: meta.transaction)

    def _meta(self, page: int) -> _Meta:
        start = page * self._page_bytes
        number, _, flags, _, _ = self._unpack(_PAGE, start)
        magic, version, address, map_bytes = self._unpack(_META, start + _HEADER_BYTES)
        _demand((number, flags) == (page, _META_FLAG), f"page {page} is no meta page")
        _demand((magic, version) == (_MAGIC, _VERSION), f"meta page {page} is another format's")
        _demand(not address and not map_bytes % self._page_bytes, f"meta page {page} has no map")
        at = start + _HEADER_BYTES + _META.size
        free = _Tree(*self._unpack(_TREE, at))
        main = _Tree(*self._unpack(_TREE, at + _TREE.size))
        _demand(free.page_bytes == self._page_bytes, "the page size differs")
        return _Meta(free, main, *self._unpack(_META_END, at + 2 * _TREE.size))

    def _subtree(self, value: bytes) -> _Tree:
        _demand(len(value) == _TREE.size, "a database has no tree")
        tree = _Tree(*_TREE.unpack(value))
        _demand(not tree.flags, "a database has other flags")
        return tree

    def _check_free(self, tree: _Tree) -> None:
        _demand(tree.flags == _INTEGER_KEYS, "the free list has other flags")
        for _, value, _ in self._leaves_of(tree, integer_keys=True):
            _demand(len(value) >= 8 and not len(value) % 8, "a free list has half a page number")
            count = _NUMBER.unpack_from(value)[0]
            _demand(count <= len(value) // 8 - 1, "a free list is longer than its place")
            for place in range(1, count + 1):
                self._take(_NUMBER.unpack_from(value, 8 * place)[0])

    def _leaves_of(
        self, tree: _Tree, *, integer_keys: bool = False
    ) -> Iterator[tuple[bytes, bytes, int]]:
        """Key, value and flags of all rows in their order; counts are compared at the end."""
        if tree.root == _NO_PAGE:
            _demand(not any(tree[2:7]), "a tree without a root counts rows")
            return
        _demand(0 < tree.depth <= _MAX_DEPTH, "a tree has no depth")
        branches = leaves = overflows = entries = 0
        last: bytes | None = None
        waiting: list[tuple[int, int, bytes]] = [(tree.root, 1, b"")]
        while waiting:
            page, level, bound = waiting.pop()
            is_leaf = level == tree.depth
            nodes = list(self._nodes(page, is_leaf))
            if not is_leaf:
                branches += 1
                _demand(bool(nodes), f"page {page} leads nowhere")
                children = [
                    (low | high << 16 | flags << 32, level + 1, key if place else bound)
                    for place, (low, high, flags, key, _) in enumerate(nodes)
                ]
                waiting += reversed(children)
                continue
            leaves += 1
            _demand(bool(nodes), f"page {page} is empty")
            for low, high, flags, key, at in nodes:
                # Integers are little-endian: the other way round they sort like bytes.
                order, least = (key[::-1], bound[::-1]) if integer_keys else (key, bound)
                # Per row, and there may be millions: no text is made for those that are right.
                if last is not None and last >= order:
                    raise _damaged(f"keys of page {page} are out of order")
                if bound and not (order >= least and (last is None or last < least)):
                    raise _damaged(f"page {page} is not where it should be")
                last, bound = order, b""
                value, pages = self._value(at, low | high << 16, flags)
                overflows += pages
                entries += 1
                yield key, value, flags
        counted = (branches, leaves, overflows, entries)
        _demand(counted == tree[3:7], f"{counted} pages and rows where {tree[3:7]} are counted")

    def _nodes(self, page: int, is_leaf: bool) -> Iterator[tuple[int, int, int, bytes, int]]:
        """Two halves of the size, flags, key, and where the data begin."""
        self._take(page)
        start = page * self._page_bytes
        number, _, flags, lower, upper = self._unpack(_PAGE, start)
        wanted = (page, _LEAF if is_leaf else _BRANCH)
        _demand((number, flags) == wanted, f"page {page} is another one")
        _demand(
            _HEADER_BYTES <= lower <= upper <= self._page_bytes and not lower & 1,
            f"page {page} has no room of this kind",
        )
        count = (lower - _HEADER_BYTES) // 2
        end, most_place = self._page_bytes, self._page_bytes - _NODE.size
        for place in Struct(f"<{count}H").unpack_from(self._data, start + _HEADER_BYTES):
            if not upper <= place <= most_place:
                raise _damaged(f"page {page} points outside")
            low, high, node_flags, key_bytes = _NODE.unpack_from(self._data, start + place)
            key_start = place + _NODE.size
            at = key_start + key_bytes
            inside = 0
            if is_leaf:
                inside = 8 if node_flags & _BIG else low | high << 16
                if node_flags & ~(_BIG | _SUB):
                    raise _damaged(f"page {page} has rows of another kind")
            if at + inside > end:
                raise _damaged(f"a row of page {page} is too long")
            key = bytes(self._data[start + key_start : start + at])
            yield low, high, node_flags, key, start + at

    def _value(self, at: int, size: int, flags: int) -> tuple[bytes, int]:
        """A row's value, and how many pages of its own it has."""
        if not flags & _BIG:
            return bytes(self._data[at : at + size]), 0
        (page,) = _NUMBER.unpack_from(self._data, at)
        pages = (_HEADER_BYTES + size - 1) // self._page_bytes + 1
        for each in range(page, page + pages):
            self._take(each)
        start = page * self._page_bytes
        number, _, page_flags, count = self._unpack(_OVERFLOW, start)
        wanted = (page, _OVERFLOW_FLAG, pages)
        _demand((number, page_flags, count) == wanted, f"page {page} is another one")
        return bytes(self._data[start + _HEADER_BYTES : start + _HEADER_BYTES + size]), pages

    def _take(self, page: int) -> None:
        _demand(page < len(self._taken), f"page {page} is outside")
        _demand(not self._taken[page], f"page {page} is in two places")
        self._taken[page] = 1

    def _unpack(self, layout: Struct, at: int) -> tuple[int, ...]:
        _demand(at + layout.size <= len(self._data), "the index ends within its head")
        return layout.unpack_from(self._data, at)


def _demand(right: bool, otherwise: str) -> None:
    if not right:
        raise _damaged(otherwise)


def _damaged(how: str) -> IndexDamagedError:
    return IndexDamagedError(f"the location index is damaged: {how}")
