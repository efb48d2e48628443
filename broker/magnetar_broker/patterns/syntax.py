"""Reads the part of regular expressions that can be matched in linear time: that of RE2.

Groups, alternatives, classes, repetition, quoting, `^`, `$`, the flags `i` and `s`. Not: what looks
around or back, possessive repetition, word boundaries, Unicode and POSIX classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from magnetar_broker.errors import InvalidPatternError, UnsupportedPatternError

Ranges = tuple[tuple[int, int], ...]
"""Code points, first and last of each range."""

MAX_REPEAT: Final = 1000
_MAX_DEPTH: Final = 50
_LAST: Final = 0x10FFFF


@dataclass(frozen=True, slots=True)
class Chars:
    """One character out of a set."""

    ranges: Ranges

    def contains(self, char: str) -> bool:
        code = ord(char)
        return any(first <= code <= last for first, last in self.ranges)


@dataclass(frozen=True, slots=True)
class Edge:
    """The begin of the text, or its end."""

    at_end: bool


@dataclass(frozen=True, slots=True)
class Sequence:
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    branches: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """`most` is None if there is no end."""

    node: Node
    least: int
    most: int | None


Node = Chars | Edge | Sequence | Choice | Repeat


def _single(*chars: str) -> Ranges:
    return tuple((ord(char), ord(char)) for char in chars)


_DIGITS: Final[Ranges] = ((ord("0"), ord("9")),)
_WORD: Final[Ranges] = (*_DIGITS, (ord("A"), ord("Z")), (ord("a"), ord("z")), *_single("_"))
_SPACE: Final[Ranges] = _single(" ", "\t", "\n", "\f", "\r")
_CLASSES: Final = {"d": _DIGITS, "w": _WORD, "s": _SPACE}
_CONTROLS: Final = {"a": "\a", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def parse(pattern: str) -> Node:
    """The tree of a pattern.

    Raises:
        InvalidPatternError: it is none.
        UnsupportedPatternError: it needs more than linear matching gives.
    """
    return _Parser(pattern).whole()


def _complement(ranges: Ranges) -> Ranges:
    result, begin = [], 0
    for first, last in sorted(ranges):
        if first > begin:
            result.append((begin, first - 1))
        begin = max(begin, last + 1)
    if begin <= _LAST:
        result.append((begin, _LAST))
    return tuple(result)


def _folded(ranges: Ranges) -> Ranges:
    """With the other case of the ASCII letters in it."""
    other = []
    for begin, end, distance in ((0x41, 0x5A, 32), (0x61, 0x7A, -32)):
        for first, last in ranges:
            if first <= end and last >= begin:
                other.append((max(first, begin) + distance, min(last, end) + distance))
    return (*ranges, *other)


class _Parser:
    """Recursive descent; `at` is the next character."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0
        self.fold = False
        self.dot_all = False

    def whole(self) -> Node:
        node = self._choice()
        if self.at < len(self.text):
            raise self._error("an unmatched )")
        return node

    def _error(self, what: str) -> InvalidPatternError:
        return InvalidPatternError(
            f"The pattern '{self.text}' has {what} at {self.at}; patterns are those of RE2"
        )

    def _unsupported(self, what: str) -> UnsupportedPatternError:
        return UnsupportedPatternError(
            f"The pattern '{self.text}' has {what} at {self.at}, which is not supported; patterns "
            "are those of RE2"
        )

    def _peek(self, *tokens: str) -> bool:
        return self.text.startswith(tokens, self.at)

    def _take(self, token: str) -> bool:
        if self._peek(token):
            self.at += len(token)
            return True
        return False

    def _next(self) -> str:
        if self.at >= len(self.text):
            raise self._error("nothing where something must follow")
        self.at += 1
        return self.text[self.at - 1]

    def _until(self, token: str) -> str:
        end = self.text.find(token, self.at)
        if end < 0:
            raise self._error(f"no {token} for what begins")
        begun, self.at = self.at, end + len(token)
        return self.text[begun:end]

    def _choice(self) -> Node:
        fold, dot_all = self.fold, self.dot_all  # flags hold until the end of their group
        branches = [self._sequence()]
        while self._take("|"):
            branches.append(self._sequence())
        self.fold, self.dot_all = fold, dot_all
        return branches[0] if len(branches) == 1 else Choice(tuple(branches))

    def _sequence(self) -> Node:
        parts: list[Node] = []
        while self.at < len(self.text) and not self._peek("|", ")"):
            if self._take("\\Q"):
                parts += self._quoted()
            else:
                parts.append(self._repeated(self._atom()))
        return Sequence(tuple(parts))

    def _quoted(self) -> list[Node]:
        """Up to `\\E`, or the end; what follows repeats the last character of it."""
        end = self.text.find("\\E", self.at)
        literal = self.text[self.at :] if end < 0 else self.text[self.at : end]
        self.at = len(self.text) if end < 0 else end + 2
        nodes: list[Node] = [self._literal(char) for char in literal]
        if nodes:
            nodes[-1] = self._repeated(nodes[-1])
        return nodes

    def _literal(self, char: str) -> Chars:
        return self._chars(_single(char))

    def _chars(self, ranges: Ranges, *, negated: bool = False) -> Chars:
        if self.fold:
            ranges = _folded(ranges)
        return Chars(_complement(ranges) if negated else ranges)

    # Repetition.

    def _repeated(self, node: Node) -> Node:
        counts = self._counts()
        if counts is None:
            return node
        self._take("?")  # lazy or not: the same texts match
        if self._peek("+"):
            raise self._unsupported("a possessive repetition")
        if self._counts() is not None:
            raise self._error("a repetition of a repetition")
        least, most = counts
        return Repeat(node, least, most)

    def _counts(self) -> tuple[int, int | None] | None:
        for sign, least, most in (("*", 0, None), ("+", 1, None), ("?", 0, 1)):
            if self._take(sign):
                return least, most
        return self._braces() if self._peek("{") else None

    def _braces(self) -> tuple[int, int | None] | None:
        """`{2}`, `{2,}` or `{2,3}`; anything else in braces means itself."""
        inside, closed, _ = self.text[self.at + 1 :].partition("}")
        first, comma, second = inside.partition(",")
        if not closed or not _is_number(first) or not (second == "" or _is_number(second)):
            return None
        least = int(first)
        most = (int(second) if second else None) if comma else least
        if max(least, most or 0) > MAX_REPEAT or (most is not None and most < least):
            raise self._unsupported("a count that is too large or goes backwards")
        self.at += len(inside) + 2
        return least, most

    # What stands for itself or for one character.

    def _atom(self) -> Node:
        char = self._next()
        match char:
            case "(":
                return self._group()
            case "[":
                return self._class()
            case ".":
                return Chars(_complement(() if self.dot_all else _single("\n")))
            case "^" | "$":
                return Edge(at_end=char == "$")
            case "*" | "+" | "?":
                raise self._error("a repetition of nothing")
            case "\\":
                return self._escape()
        return self._literal(char)

    def _group(self) -> Node:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise self._unsupported(f"more than {_MAX_DEPTH} groups in one another")
        fold, dot_all = self.fold, self.dot_all
        if self._take("?"):
            if self._take("P<") or (self._peek("<") and not self._peek("<=", "<!")):
                self._until(">")
            elif self._flags():
                self.depth -= 1
                return Sequence(())  # they hold for the rest of the group around
        node = self._choice()
        if not self._take(")"):
            raise self._error("a ( without its )")
        self.fold, self.dot_all = fold, dot_all
        self.depth -= 1
        return node

    def _flags(self) -> bool:
        """Set them; True if they stand alone, and False if a group follows behind a colon."""
        value = True
        while True:
            match self._next():
                case "i":
                    self.fold = value
                case "s":
                    self.dot_all = value
                case "-":
                    value = False
                case ":":
                    return False
                case ")":
                    return True
                case _:
                    raise self._unsupported("a group of its own kind")

    def _escape(self) -> Node:
        char = self._next()
        if char in "Az":
            return Edge(at_end=char == "z")
        if char.lower() in _CLASSES:
            return Chars(_class_of(char))
        return self._literal(self._escaped(char))

    def _escaped(self, char: str) -> str:
        """The character that is meant by the one behind a backslash."""
        if char == "x":
            digits = self._until("}") if self._take("{") else self._next() + self._next()
            try:
                return chr(int(digits, 16))
            except (ValueError, OverflowError) as error:
                raise self._error(f"no character {digits}") from error
        if char in _CONTROLS:
            return _CONTROLS[char]
        if char.isalnum():
            raise self._unsupported(f"\\{char}")
        return char

    def _class(self) -> Node:
        negated = self._take("^")
        ranges: Ranges = ()
        first = True
        while first or not self._peek("]"):
            first = False
            ranges += self._class_item()
        self._next()
        return self._chars(ranges, negated=negated)

    def _class_item(self) -> Ranges:
        char = self._next()
        if char == "[" and self._peek(":", "["):
            raise self._unsupported("a class in a class")
        if char == "\\":
            char = self._next()
            if char.lower() in _CLASSES:
                return _class_of(char)
            char = self._escaped(char)
        if not self._peek("-") or self._peek("-]"):
            return _single(char)
        self._next()
        last = self._next()
        if last == "\\":
            last = self._escaped(self._next())
        if last < char:
            raise self._error("a range that goes backwards")
        return ((ord(char), ord(last)),)


def _class_of(letter: str) -> Ranges:
    ranges = _CLASSES[letter.lower()]
    return _complement(ranges) if letter.isupper() else ranges


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 4
