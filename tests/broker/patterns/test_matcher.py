"""Matching agrees with Python's own expressions, where those are quick enough to be asked."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from magnetar_broker.errors import UnsupportedPatternError
from magnetar_broker.patterns import matcher
from magnetar_broker.patterns.matcher import Matcher

_ATOMS = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", "[a-c]", r"\d", r"\W", "", "^", "$"])


def _larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    group = inner.map(lambda pattern: f"(?:{pattern})")
    repeated = st.tuples(group, st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{2,}", "*?"]))
    return st.one_of(
        repeated.map("".join),
        st.tuples(inner, inner).map("".join),
        st.lists(group, min_size=2, max_size=3).map("|".join),
    )


_PATTERNS = st.recursive(_ATOMS, _larger, max_leaves=6)
_TEXTS = st.lists(st.text("abc1", max_size=6), min_size=1, max_size=5)


def expected(pattern: str, text: str) -> bool:
    # `$` also stands before a last newline in Python; there is none here.
    return re.fullmatch(pattern, text) is not None


@given(_PATTERNS, _TEXTS)
@settings(max_examples=100, deadline=None)
def test_as_python(pattern: str, texts: list[str]) -> None:
    matching = Matcher(pattern)
    for text in texts:
        assert matching.matches(text) == expected(pattern, text), (pattern, text)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"\Qa.b\E+", "a.bbb"),
        (r"\Qa.b", "a.b"),
        (r"(?i)Ab[^C-E]", "aBf"),
        (r"x(?i:a)b", "xAb"),
        (r"(?P<n>a)|(?<m>b)", "b"),
        (r"\Aa\z", "a"),
        (r"a\x41\x{1F600}", "aA\U0001f600"),
        (r"(?s)a.b", "a\nb"),
        (r"[]a]+[-a]", "]]-"),
        (r"[\w-]+\.[\D]", "a-b.c"),
        (r"(a*)*b", "aab"),
        (r"((){100}){2}", ""),
        (r"{a}", "{a}"),
    ],
)
def test_matches(pattern: str, text: str) -> None:
    assert Matcher(pattern).matches(text)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [(r"(?i)a[^c]", "aC"), (r"x(?i:a)b", "xAB"), ("a.b", "a\nb"), ("a", "ab"), ("b", "ab")],
)
def test_does_not_match(pattern: str, text: str) -> None:
    assert not Matcher(pattern).matches(text)


def test_no_pattern_takes_for_ever() -> None:
    """Backtracking would take 2^100 steps; this looks at each character a few times."""
    assert not Matcher("(a|a)*(a|a)*(a*)*b").matches("a" * 100)


@pytest.mark.parametrize("pattern", ["((a{30}){30}){30}", "(((){1000}){1000}){1000}"])
def test_no_pattern_takes_much_memory(pattern: str) -> None:
    with pytest.raises(UnsupportedPatternError, match="repeats too much"):
        Matcher(pattern)


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matcher, "MAX_CACHED", 40)
    pattern = "(?:a|b)*a(?:a|b){6}"
    matching = Matcher(pattern)
    for number in range(200):
        text = f"{number:08b}".replace("0", "a").replace("1", "b")
        assert matching.matches(text) == expected(pattern, text)
        assert matching.cached <= 100
