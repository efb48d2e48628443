"""Requests that wait for their responses, by what a response is matched with."""

from collections import deque
from collections.abc import Hashable, Sequence
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

    __slots__ = ("_given_up", "_held", "_rows", "stuck")

    def __init__(self) -> None:
        self._rows: dict[Hashable, tuple[int, Row]] = {}  # in the order of sending
        self._held: dict[Hashable, deque[tuple[int, Row, Request]]] = {}
        self._given_up: set[Hashable] = set()  # timed out: the response may still come
        self.stuck = False  # a key whose response has not come for two timeouts, and is wanted

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

    def put_run(self, keys: Sequence[Hashable], number: int, row: Row) -> bool:
        """`put` of one row under many keys whose requests can all be sent now; else nothing is
        done."""
        if self._given_up or not self._rows.keys().isdisjoint(keys):
            return False
        self._rows.update(dict.fromkeys(keys, (number, row)))
        return True

    def take_run(self, keys: Sequence[Hashable]) -> list[Row | None] | None:
        """`take` of many: the rows that wait, None for each that nobody waits for. None for all,
        and nothing is done, while requests are held back or late responses may come."""
        if self._held or self._given_up:
            return None
        take, nothing = self._rows.pop, (0, None)
        return [take(key, nothing)[1] for key in keys]

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

    def take_overdue(self, before: int) -> list[tuple[Hashable, Row]]:
        """Keys and rows with numbers below `before`; their responses will belong to nobody."""
        overdue: list[tuple[int, Hashable, Row]] = []
        given_up_before = frozenset(self._given_up if self._held else ())
        for key, (number, row) in list(self._rows.items()):
            if number >= before:
                continue  # a row that was held back stands behind younger ones
            overdue.append((number, key, row))
            del self._rows[key]
            self._given_up.add(key)
        for key, held in list(self._held.items()):
            while held and held[0][0] < before:
                number, row, _ = held.popleft()
                overdue.append((number, key, row))
                self.stuck |= key in given_up_before
            if not held:
                del self._held[key]
        return _in_order(overdue)

    def take_all(self) -> list[tuple[Hashable, Row]]:
        """All keys and rows, in the order in which they were put: the connection is gone."""
        rows = [(number, key, row) for key, (number, row) in self._rows.items()]
        for key, held in self._held.items():
            rows += [(number, key, row) for number, row, _ in held]
        self._rows.clear()
        self._held.clear()
        self._given_up.clear()
        self.stuck = False
        return _in_order(rows)


def _in_order(rows: list[tuple[int, Hashable, Row]]) -> list[tuple[Hashable, Row]]:
    # Of one number are those of a run, which stand in its order already.
    return [(key, row) for _, key, row in sorted(rows, key=lambda numbered: numbered[0])]
