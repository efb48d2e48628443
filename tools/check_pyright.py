"""Checks with pyright, strict, what users of the SDK see: a program passes, each mistake is found.

    python tools/check_pyright.py      (or `make pyright`)

basedpyright and its node are 75 MB, so they go into an environment of their own, .venv-pyright.
"""

import json
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
ENVIRONMENT: Final = ROOT / ".venv-pyright"
REQUIREMENT: Final = "basedpyright==1.40.2"
RIGHT, WRONG = "typed_program.py", "untyped_program.py"


def main() -> int:
    """0 if all is as it should be."""
    found = problems(run_pyright(), mistakes(program(WRONG)))
    print("\n".join(found) or "pyright: 0 problems")
    return 1 if found else 0


def program(name: str) -> str:
    """The text of a program of a user."""
    return (ROOT / "tests" / "client" / name).read_text()


def mistakes(text: str) -> set[int]:
    """Lines that say that they are one."""
    return {number for number, line in enumerate(text.splitlines(), 1) if "# mistake" in line}


def problems(diagnostics: Iterable[Mapping[str, Any]], expected: set[int]) -> list[str]:
    """What pyright says of the right program, and where it sees no mistake or one too many."""
    wrong: set[int] = set()
    found = []
    for each in diagnostics:
        name, line = Path(each["file"]).name, each["range"]["start"]["line"] + 1
        if name == WRONG:
            wrong.add(line)
        else:
            found.append(f"{name}:{line}: {each['message']}")
    found += [f"{WRONG}:{line}: pyright sees no mistake" for line in sorted(expected - wrong)]
    return found + [f"{WRONG}:{line}: this is none" for line in sorted(wrong - expected)]


def run_pyright() -> list[dict[str, Any]]:
    """Its diagnostics of both programs, away from the checkout, as of an installed package."""
    command = ENVIRONMENT / "bin" / "basedpyright"
    if not command.exists():
        venv.create(ENVIRONMENT, with_pip=True)
        pip = ENVIRONMENT / "bin" / "pip"
        subprocess.run([pip, "install", "--quiet", REQUIREMENT], check=True)
    with tempfile.TemporaryDirectory() as directory:
        for name in (RIGHT, WRONG):
            Path(directory, name).write_text(program(name))
        Path(directory, "pyrightconfig.json").write_text('{"typeCheckingMode": "strict"}')
        done = subprocess.run(
            [command, "--outputjson", "--pythonpath", sys.executable],
            cwd=directory, check=False, capture_output=True, text=True,
        )  # fmt: skip
    answer = json.loads(done.stdout)
    if answer["summary"]["filesAnalyzed"] != 2:
        raise SystemExit(f"pyright looked at {answer['summary']['filesAnalyzed']} files, not at 2")
    return list(answer["generalDiagnostics"])


if __name__ == "__main__":
    sys.exit(main())
