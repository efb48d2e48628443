"""Requests that wait for their responses, by what a response is matched with."""

from collections import deque
from collections.abc import Hashable, Iterable, Sequence
from typing import Generic, TypeVar

from magnetar_proto.bookkeeper.requests import Request

Row = TypeVar("Row")


class PendingRows(Generic[Row]):
    """Rows by key, at most one of a key under way.

    Version 2 matches a response by operation, ledger and entry. With two requests of the same key
    under way it could be that of either: a plain read's for a read that fences, though the fence
    is not durable yet; a recovery add's for the add of the writer that it fences. So the second
    one is held back until the first is answered.
    """

    __slots__ = ("_given_up", "_held", "_rows")

    def __init__(self) -> None:
        self._rows: dict[Hashable, tuple[int, Row]] = {}  # in the order of sending
        self._held: dict[Hashable, deque[tuple[int, Row, Request]]] = {}
        self._given_up: set[Hashable] = set()  # timed out: the response may still come

    def __len__(self) -> int:
        return len(self._rows) + sum(map(len, self._held.values()))

    @property
    def given_up(self) -> int:
        """How many responses may still come that belong to nobody."""
        return len(self._given_up)

    def put(self, key: Hashable, number: int, row: Row, request: Request) -> bool:
        """Keep a row until its response comes. False if its request must not be sent yet.

        Args:
            number: greater than all before.
        """
        if key in self._rows or key in self._given_up:
            self._held.setdefault(key, deque()).append((number, row, request))
            return False
        self._rows[key] = number, row
        return True

    def put_run(self, keys: Sequence[Hashable], first_number: int, rows: Iterable[Row]) -> bool:
        """`put` of many whose requests can all be sent now; else nothing is done."""
        if self._given_up or not self._rows.keys().isdisjoint(keys):
            return False
        self._rows.update(zip(keys, enumerate(rows, first_number), strict=True))
        return True

    def take(self, key: Hashable) -> tuple[Row | None, Request | None]:
        """The row that a response belongs to, if anybody still waits for it, and the request that
        is to be sent now, if one was held back."""
        found = self._rows.pop(key, None)
        if found is not None and not self._held:
            return found[1], None
        if found is None:
            self._given_up.discard(key)
        following: Request | None = None
        if self._held and (held := self._held.get(key)):
            number, row, following = held.popleft()
            self._rows[key] = number, row
            if not held:
                del self._held[key]
        return (None if found is None else found[1]), following

    def take_overdue(self, before: int) -> list[Row]:
        """The rows with numbers below `before`; their responses will belong to nobody."""
        overdue: list[tuple[int, Row]] = []
        for key, numbered in list(self._rows.items()):
            if numbered[0] >= before:
                continue  # a row that was held back stands behind younger ones
            overdue.append(numbered)
            del self._rows[key]
            self._given_up.add(key)
        for key, held in list(self._held.items()):
            while held and held[0][0] < before:
                overdue.append(held.popleft()[:2])
            if not held:
                del self._held[key]
        return [row for _, row in sorted(overdue, key=lambda numbered: numbered[0])]

    def take_all(self) -> list[Row]:
        """All rows, in the order in which they were put: the connection is gone."""
        rows = [*self._rows.values()]
        for held in self._held.values():
            rows += [numbered[:2] for numbered in held]
        self._rows.clear()
        self._held.clear()
        self._given_up.clear()
        return [row for _, row in sorted(rows, key=lambda numbered: numbered[0])]
