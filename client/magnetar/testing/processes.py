"""Processes that never outlive whoever started them.

Each one leads a process group of its own. Three things end it: `kill_group`, the exit handler of
this interpreter, and, where the kernel has it, the death of the parent itself.
"""

import atexit
import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

Process = subprocess.Popen[bytes]

_running: set[Process] = set()


def start_group(
    command: Sequence[str],
    log_path: Path,
    *,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> Process:
    """Start a process that writes behind what is in its log.

    Args:
        environment: goes beside what this process has in its own.
    """
    with log_path.open("ab") as log:
        process = subprocess.Popen(
            [*dies_with_parent(), *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=directory,
            env={**os.environ, **(environment or {})},
        )
    _running.add(process)
    return process


def signal_kill(process: Process) -> None:
    """Send SIGKILL to the whole group, and do not wait for its end."""
    # Gone already is fine; macOS answers EPERM for a zombie.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def kill_group(process: Process) -> None:
    """End the whole group with SIGKILL, at once."""
    signal_kill(process)
    process.wait()
    _running.discard(process)


def dies_with_parent() -> list[str]:
    """A command prefix (it execs, so the pid stays) that ties the child to our life."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []


@atexit.register
def _kill_all() -> None:
    for process in list(_running):
        kill_group(process)
