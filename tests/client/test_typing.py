"""Types for users: a program of theirs passes mypy --strict, and their mistakes are found."""

import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


PROGRAMS = ("typed_program.py", "untyped_program.py")


def mypy(directory: Path) -> str:
    # Away from the checkout and its settings: the package is found as an installed one.
    for name in PROGRAMS:
        (directory / name).write_text((HERE / name).read_text())
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(directory), *PROGRAMS]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=300)
    return done.stdout + done.stderr


def test_a_program_passes_and_mistakes_are_found(tmp_path: Path) -> None:
    output = mypy(tmp_path)
    assert "typed_program.py" not in output.replace("untyped_program.py", "")
    found = {int(number) for number in re.findall(r"untyped_program\.py:(\d+): error", output)}
    lines = (HERE / "untyped_program.py").read_text().splitlines()
    assert found == {number for number, line in enumerate(lines, 1) if "# mistake" in line}
