"""What is taken as a pattern, and what is refused."""

import pytest
from magnetar_broker.errors import InvalidPatternError, UnsupportedPatternError
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
        "(a",
        "a)",
        "[a",
        "[]",
        "*",
        "a**",
        "a{2}{3}",
        "\\",
        "[b-a]",
        "\\x{110000}",
        "\\xg0",
        "(?<n",
        "(?",
    ],
)
def test_no_pattern(pattern: str) -> None:
    with pytest.raises(InvalidPatternError) as raised:
        parse(pattern)
    assert not isinstance(raised.value, UnsupportedPatternError)


@pytest.mark.parametrize(
    "pattern",
    [
        "a++", "a{3,2}", "a{1001}", "\\1", "\\b", "\\pL", "[[:alpha:]]", "(?=a)", "(?!a)",
        "(?<=a)", "(?<!a)", "(?>a)", "(?x)", "(" * 51 + ")" * 51,
    ],
)  # fmt: skip
def test_not_supported(pattern: str) -> None:
    with pytest.raises(UnsupportedPatternError):
        parse(pattern)
