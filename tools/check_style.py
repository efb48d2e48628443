"""Checks the rules of the house that ruff and mypy do not know; exit 1 when one is broken.

    python tools/check_style.py

Sizes (function, module, line), one test file per module, no machine's paths in tracked files, no
optimised bytecode switch that would turn assertions off.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MAX_FUNCTION_LINES = 70
MAX_MODULE_LINES = 600
MAX_LINE_CHARACTERS = 100

PACKAGES = {
    "proto": "magnetar_proto",
    "runtime": "magnetar_runtime",
    "metadata": "magnetar_metadata",
    "storage": "magnetar_storage",
    "ledger": "magnetar_ledger",
    "broker": "magnetar_broker",
    "client": "magnetar",
    "cli": "magnetar_cli",
}
GENERATED = re.compile(r"_pb2\.pyi?$")
# Written in pieces, so that this file does not break its own rule.
MACHINE_PATH = re.compile(r"/(?:" + "|".join(("work", "farm", "root", "home")) + r")/[a-z.]")
ASSERTS_OFF = re.compile(r"\bpython[0-9.]*\s+-OO?\b|PYTHON" + "OPTIMIZE")


def tracked_files() -> list[Path]:
    """Files of the checkout that git knows or would add."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout
    paths = (ROOT / name for name in listing.decode().split("\0") if name)
    return sorted(path for path in paths if path.is_file())


def problems_of_text(name: str, text: str) -> Iterator[str]:
    """Rules for every text file."""
    for number, line in enumerate(text.splitlines(), 1):
        if MACHINE_PATH.search(line):
            yield f"{name}:{number}: a path of one machine"
        if ASSERTS_OFF.search(line):
            yield f"{name}:{number}: assertions stay on"


def problems_of_module(name: str, text: str) -> Iterator[str]:
    """Rules for every Python file that was written by hand."""
    lines = text.splitlines()
    if len(lines) > MAX_MODULE_LINES:
        yield f"{name}: {len(lines)} lines, more than {MAX_MODULE_LINES}"
    for number, line in enumerate(lines, 1):
        if len(line) > MAX_LINE_CHARACTERS:
            yield f"{name}:{number}: {len(line)} characters, more than {MAX_LINE_CHARACTERS}"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            count = node.end_lineno - node.lineno + 1
            if count > MAX_FUNCTION_LINES:
                yield f"{name}:{node.lineno}: {node.name} has {count} lines"


def has_logic(text: str) -> bool:
    """Whether a module holds a function that does anything: not only names and protocols."""
    functions = (
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    return any(not _is_stub(function) for function in functions)


def _is_stub(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return all(
        isinstance(statement, ast.Pass)
        or (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
        for statement in function.body
    )


def test_file_of(module: Path) -> Path | None:
    """Where the tests of a product module stand, relative to the root; None for other files."""
    parts = module.parts
    if len(parts) < 3 or PACKAGES.get(parts[0]) != parts[1] or module.name.startswith("__"):
        return None
    return Path("tests", parts[0], *parts[2:-1], f"test_{module.name}")


def problems() -> Iterator[str]:
    """All broken rules of the checkout."""
    files = tracked_files()
    names = {path.relative_to(ROOT) for path in files}
    for path in files:
        name = path.relative_to(ROOT)
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        yield from problems_of_text(str(name), text)
        if path.suffix != ".py" or GENERATED.search(path.name):
            continue
        yield from problems_of_module(str(name), text)
        test_file = test_file_of(name)
        if test_file is not None and test_file not in names and has_logic(text):
            yield f"{name}: no {test_file}"


def main() -> int:
    found = list(problems())
    if not __debug__:
        found.append("assertions are off in this interpreter")
    for problem in found:
        print(problem)
    print(f"style: {len(found)} problems")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
