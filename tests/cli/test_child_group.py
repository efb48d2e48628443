"""Children end with their parent, however that ends. Real processes."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from magnetar_cli.child_group import ChildGroup, without_settings

PARENT = """
import asyncio, os, signal, sys
from magnetar_cli.child_group import ChildGroup

async def main():
    group = ChildGroup()
    with open(sys.argv[1], "ab") as log:
        # A grandchild, as a shell that starts a JVM without exec.
        command = ["/bin/sh", "-c", "sleep 600 & echo $!; wait"]
        child = await group.start(command, os.environ, "/", log, says_when_ready=True)
    print(group.number, child.pid, (await child.stdout.readline()).decode(), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # Nobody may be there to take note of the end of an orphan.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def test_kill_9_of_the_parent_leaves_nobody(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PARENT, str(tmp_path / "log")]
    parent = subprocess.run(command, stdout=subprocess.PIPE, timeout=20, text=True)
    assert parent.returncode == -signal.SIGKILL
    pids = [int(word) for word in parent.stdout.split()]
    assert len(pids) == 3
    deadline_s = time.monotonic() + 10
    try:
        while any(map(alive, pids)):
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
    finally:
        for pid in filter(alive, pids):
            os.kill(pid, signal.SIGKILL)


async def test_what_is_left_is_killed_at_the_end(tmp_path: Path) -> None:
    group = ChildGroup()
    with (tmp_path / "log").open("wb") as log:
        command = [sys.executable, "-c", "print('here', flush=True); import time; time.sleep(600)"]
        child = await group.start(command, os.environ, "/", log, says_when_ready=True)
    assert child.stdout is not None
    assert await child.stdout.readline() == b"here\n"
    assert os.getpgid(child.pid) == group.number != os.getpgrp()
    await asyncio.to_thread(group.close)
    async with asyncio.timeout(20):
        assert await child.wait() == -signal.SIGKILL


def test_children_read_no_settings_of_the_parent() -> None:
    environment = {"PATH": "/bin", "bookiePort": "1", "PULSAR_PREFIX_x": "1"}
    assert without_settings(environment, {"bookiePort"}) == {"PATH": "/bin"}
