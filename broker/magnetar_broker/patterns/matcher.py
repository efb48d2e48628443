"""Matches whole texts against a pattern in time proportional to the text.

The tree becomes a machine with many states at one time (Thompson), and the sets of states that come
up become states of a second machine, made when first needed and kept (as RE2 does). So most
characters cost one look into a dict, and none costs more than the size of the pattern.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from magnetar_broker.errors import UnsupportedPatternError
from magnetar_broker.patterns.syntax import Chars, Choice, Edge, Node, Repeat, Sequence, parse

MAX_STEPS: Final = 1000
"""Repetition by counts multiplies what it repeats: the most that a pattern may come to."""
MAX_CACHED: Final = 50_000
"""Members of the sets of states that are kept, and transitions between them."""

_ACCEPT: Final = 0
_DEAD: Final = -1


class _Machine:
    """States: 0 accepts; the others take a character, stand at an edge, or lead to others."""

    def __init__(self, pattern: str) -> None:
        self.takes: dict[int, tuple[Chars, int]] = {}
        self.edges: dict[int, tuple[Edge, int]] = {}
        self.splits: dict[int, tuple[int, ...]] = {}
        self._pattern = pattern
        self._steps = 0
        self._states = 1
        self.start = self._add(parse(pattern), _ACCEPT)

    def _new_state(self) -> int:
        self._states += 1
        return self._states - 1

    def _add(self, node: Node, then: int) -> int:
        """The state from which `node` leads to `then`."""
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise UnsupportedPatternError(f"The pattern '{self._pattern}' repeats too much")
        match node:
            case Sequence(parts):
                for part in reversed(parts):
                    then = self._add(part, then)
                return then
            case Repeat(repeated, least, most):
                return self._add_repeat(repeated, least, most, then)
        state = self._new_state()
        match node:
            case Chars():
                self.takes[state] = (node, then)
            case Edge():
                self.edges[state] = (node, then)
            case Choice(branches):
                self.splits[state] = tuple(self._add(branch, then) for branch in branches)
        return state

    def _add_repeat(self, node: Node, least: int, most: int | None, then: int) -> int:
        entry = then
        if most is None:
            entry = self._new_state()
            self.splits[entry] = (self._add(node, entry), then)
        else:
            for _ in range(most - least):
                state = self._new_state()
                self.splits[state] = (self._add(node, entry), then)
                entry = state
        for _ in range(least):
            entry = self._add(node, entry)
        return entry

    def closure(
        self, states: Iterable[int], *, at_start: bool = False, at_end: bool = False
    ) -> frozenset[int]:
        """All states that are reached from these without a character."""
        found: set[int] = set()
        waiting = list(states)
        while waiting:
            state = waiting.pop()
            if state in found:
                continue
            found.add(state)
            waiting += self.splits.get(state, ())
            if state in self.edges:
                edge, then = self.edges[state]
                if at_end if edge.at_end else at_start:
                    waiting.append(then)
        return frozenset(found - self.splits.keys())


class Matcher:
    """A pattern that is ready for use.

    Attributes:
        cached: How much is kept, in the unit of `MAX_CACHED`.
    """

    def __init__(self, pattern: str) -> None:
        """Raises InvalidPatternError."""
        self._machine = _Machine(pattern)
        self._forget()

    def _forget(self) -> None:
        self._sets: list[frozenset[int]] = []
        self._numbers: dict[frozenset[int], int] = {}
        self._moves: list[dict[str, int]] = []
        self._accepting: list[bool] = []
        self.cached = 0
        begin = self._machine.closure((self._machine.start,), at_start=True)
        self._start = self._number_of(begin, at_start=True)

    def _number_of(self, states: frozenset[int], *, at_start: bool = False) -> int:
        number = None if at_start else self._numbers.get(states)
        if number is None:
            number = len(self._sets)
            if not at_start:  # the same states later on are not at the start
                self._numbers[states] = number
            self._sets.append(states)
            self._moves.append({})
            ends = self._machine.closure(states, at_start=at_start, at_end=True)
            self._accepting.append(_ACCEPT in ends)
            self.cached += len(states)
        return number

    def matches(self, text: str) -> bool:
        """Whether the pattern takes the whole text."""
        number = self._start
        for char in text:
            following = self._moves[number].get(char)
            if following is None:
                following = self._move(number, char)
            if following == _DEAD:
                return False
            number = following
        return self._accepting[number]

    def _move(self, number: int, char: str) -> int:
        takes = self._machine.takes
        targets = [
            takes[state][1]
            for state in self._sets[number]
            if state in takes and takes[state][0].contains(char)
        ]
        if self.cached > MAX_CACHED:
            self._forget()  # the text goes on from the set that is reached, which is kept anew
            return self._number_of(self._machine.closure(targets)) if targets else _DEAD
        following = self._number_of(self._machine.closure(targets)) if targets else _DEAD
        self._moves[number][char] = following
        self.cached += 1
        return following
