"""A data directory belongs to one process, until that process ends in whatever way."""

import subprocess
import sys
from pathlib import Path

import pytest
from magnetar_runtime.directory_lock import lock_directory
from magnetar_runtime.errors import DirectoryLockedError

HOLD_UNTIL_KILLED = """
import sys
from magnetar_runtime.directory_lock import lock_directory
lock = lock_directory(sys.argv[1])
print("locked", flush=True)
sys.stdin.read()
"""


def test_a_second_lock_is_refused_until_the_first_is_released(tmp_path: Path) -> None:
    directory = str(tmp_path / "data")
    lock = lock_directory(directory)
    with pytest.raises(DirectoryLockedError, match="is the directory named twice"):
        lock_directory(directory)
    lock.release()
    lock.release()
    lock_directory(directory).release()


def test_another_process_is_named_and_its_kill_frees_the_directory(tmp_path: Path) -> None:
    directory = str(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD_UNTIL_KILLED, directory],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"locked\n"
        with pytest.raises(DirectoryLockedError, match=f"pid {holder.pid}") as caught:
            lock_directory(directory)
        assert caught.value.path == directory
        holder.kill()
        holder.wait()
    lock_directory(directory).release()
