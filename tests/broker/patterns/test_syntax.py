"""What is taken as a pattern, and what is refused."""

import pytest
from magnetar_broker.errors import InvalidPatternError
from magnetar_broker.patterns.syntax import Chars, Edge, Repeat, Sequence, parse


def test_tree() -> None:
    assert parse("^a{2,3}$") == Sequence(
        (Edge(at_end=False), Repeat(Chars(((97, 97),)), 2, 3), Edge(at_end=True))
    )


def test_braces_that_are_no_count_are_text() -> None:
    assert parse("{a}") == Sequence(tuple(Chars(((ord(char),) * 2,)) for char in "{a}"))


@pytest.mark.parametrize(
    "pattern",
    [
        "(a", "a)", "[a", "[]", "*", "a**", "a{2}{3}", "a++", "a{3,2}", "a{1001}", "\\", "\\1",
        "\\b", "\\pL", "[[:alpha:]]", "[b-a]", "(?=a)", "(?!a)", "(?<=a)", "(?<!a)", "(?>a)",
        "(?x)", "(?", "\\x{110000}", "\\xg0", "(?<name", "(" * 51 + ")" * 51,
    ],
)  # fmt: skip
def test_refused(pattern: str) -> None:
    with pytest.raises(InvalidPatternError):
        parse(pattern)
