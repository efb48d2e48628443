"""Each rule of the house is broken once here, and noticed."""

from pathlib import Path

import pytest

from tools import check_style


def long_function(lines: int) -> str:
    return "def long():\n" + "    pass\n" * (lines - 1)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (long_function(70), None),
        (long_function(71), "m.py:1: long has 71 lines"),
        ("x = 1\n" * 600, None),
        ("x = 1\n" * 601, "m.py: 601 lines, more than 600"),
        ("#" * 100, None),
        ("#" * 101, "m.py:1: 101 characters, more than 100"),
    ],
)
def test_sizes(text: str, problem: str | None) -> None:
    assert list(check_style.problems_of_module("m.py", text)) == ([problem] if problem else [])


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("see /" + "root/x", True),
        ("cd /" + "work/main", True),
        ("/" + "home/joe", True),
        ("/usr/bin/java and /tmp", False),
        ("a /" + "rooted path", False),
        ("exec python3 " + "-O magnetar", True),
        ("PYTHON" + "OPTIMIZE=1", True),
        ("python3 -m venv", False),
    ],
)
def test_texts(text: str, broken: bool) -> None:
    assert bool(list(check_style.problems_of_text("f", text))) is broken


def test_a_module_with_logic_needs_its_test_file() -> None:
    expected = Path("tests/ledger/managed/test_cursor.py")
    assert check_style.test_file_of(Path("ledger/magnetar_ledger/managed/cursor.py")) == expected
    assert check_style.test_file_of(Path("ledger/magnetar_ledger/__init__.py")) is None
    assert check_style.test_file_of(Path("tools/check_style.py")) is None


@pytest.mark.parametrize(
    ("text", "logic"),
    [
        ("X = 1", False),
        ("class P:\n    def f(self) -> int: ...\n", False),
        ("class P:\n    def f(self) -> int:\n        '''Text.'''\n", False),
        ("def f():\n    return 1\n", True),
        ("class C:\n    async def f(self):\n        '''Text.'''\n        await x\n", True),
    ],
)
def test_what_counts_as_logic(text: str, logic: bool) -> None:
    assert check_style.has_logic(text) is logic


def test_assertions_are_on() -> None:
    with pytest.raises(AssertionError):
        assert not __debug__
