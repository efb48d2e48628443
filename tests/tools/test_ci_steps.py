"""Steps of .ci/run: what fails ends it, nothing goes on behind it, and a table says how long."""

import os
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def play(*lines: str) -> subprocess.CompletedProcess[str]:
    script = "\n".join(["set -euo pipefail", ". .ci/steps", *lines])
    return subprocess.run(
        ["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60
    )


def rows(printed: str) -> list[str]:
    """The table without its seconds."""
    table = printed.rpartition("seconds  step\n")[2]
    return [line.split(maxsplit=1)[1] for line in table.splitlines()]


def test_one_after_the_other_and_beside() -> None:
    done = play(
        'beside "long" 1 bash -c "sleep 0.2; echo from long"',
        'step "short" 1 echo from short',
        "together",
        'step "last" 1 true',
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.index("from short") < done.stdout.index("from long")
    assert rows(done.stdout) == ["passed: long", "passed: short", "passed: last", "in all"]


@pytest.mark.parametrize(
    "script", ['step "bad" 1 bash -c "exit 7"', 'beside "bad" 1 bash -c "exit 7"\ntogether']
)
def test_a_failure_ends_it_with_its_code(script: str) -> None:
    done = play(script, 'step "never" 1 true')
    assert done.returncode == 7
    assert rows(done.stdout) == ["FAILED with 7: bad", "in all"]


def test_a_step_beside_that_nobody_waits_for_is_a_failure() -> None:
    assert play('beside "bad" 1 bash -c "exit 7"').returncode == 7


def test_what_runs_beside_a_failure_is_ended(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    done = play(
        f"beside \"long\" 1 bash -c 'echo $$ >{pid_file}; exec sleep 60'",
        f"step \"bad\" 1 bash -c 'while [ ! -s {pid_file} ]; do sleep 0.01; done; exit 3'",
    )
    assert done.returncode == 3
    assert "FAILED with 3: bad" in rows(done.stdout)
    deadline_s = time.monotonic() + 10
    while is_alive(int(pid_file.read_text())):
        assert time.monotonic() < deadline_s, "still there"
        time.sleep(0.02)


def test_a_step_has_a_limit() -> None:
    assert play('step "slow" 0.005 sleep 30').returncode == 124


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
