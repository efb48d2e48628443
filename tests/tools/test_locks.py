"""The committed locks hold what pyproject.toml asks for, hashed and without addresses."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
NAME = re.compile(r"[A-Za-z0-9_-]+")


def normal(name: str) -> str:
    return name.lower().replace("_", "-")


def names(requirements: list[str]) -> set[str]:
    found = {normal(match[0]) for text in requirements if (match := NAME.match(text))}
    return found - {PROJECT["name"]}


def locked(file: str) -> dict[str, str]:
    """Name -> the whole entry with its hashes."""
    text = (ROOT / "requirements" / file).read_text().replace("\\\n", " ")
    rows = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    return {normal(row.partition("==")[0]): row for row in rows}


@pytest.mark.parametrize(
    ("file", "wanted"),
    [
        ("server.txt", names(PROJECT["dependencies"] + EXTRAS["server"])),
        ("dev.txt", names(PROJECT["dependencies"] + EXTRAS["server"] + EXTRAS["dev"])),
        ("build.txt", {"hatchling", "editables"}),
    ],
)
def test_everything_is_locked(file: str, wanted: set[str]) -> None:
    rows = locked(file)
    assert wanted <= rows.keys(), "run `make lock`"
    assert all("--hash=sha256:" in row for row in rows.values())
    assert all("://" not in row and "--index" not in row for row in rows.values())


def test_the_locks_agree() -> None:
    pins = [
        {name: row.split()[0] for name, row in locked(file).items()}
        for file in ("build.txt", "server.txt", "dev.txt")
    ]
    for name in set().union(*pins):
        assert len({pin[name] for pin in pins if name in pin}) == 1, name
