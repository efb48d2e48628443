"""A child: ready, not ready, ended, and what is told of it. Real processes."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from magnetar_cli import child_process
from magnetar_cli.child_group import ChildGroup
from magnetar_cli.child_process import Child, ChildError
from magnetar_cli.cluster_plan import ChildPlan

from bench.ports import free_port

READY = """
import os, sys, time
assert open("a.conf").read() == "x=1"
print('{"ready": true}', flush=True)
time.sleep(600)
"""
ZOOKEEPER = """
import socket, sys, time
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
for answer in (b"", b"it is not serving", b"Zookeeper version: 3\\nMode: standalone\\n"):
    connection, _ = server.accept()
    assert connection.recv(4) == b"srvr"
    connection.sendall(answer)
    connection.close()
print("serves", file=sys.stderr, flush=True)
time.sleep(600)
"""
FAILS = "import sys; print('it is broken', file=sys.stderr); sys.exit(3)"
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print('{"ready": true}', flush=True)
time.sleep(600)
"""


@pytest.fixture
def group() -> Iterator[ChildGroup]:
    made = ChildGroup()
    yield made
    made.close()


def child(
    group: ChildGroup,
    directory: Path,
    script: str,
    *,
    service: bool = True,
    end_timeout_s: float = 20,
) -> Child:
    port = free_port()
    plan = ChildPlan(
        "bookie-0",
        "bookie",
        port,
        0,
        str(directory / "bookie-0"),
        ("bookie",) if service else (),
        {"a.conf": "x=1"},
        end_timeout_s,
    )
    return Child(plan, [sys.executable, "-c", script, str(port)], os.environ, group)


async def test_a_service_says_when_it_is_ready(tmp_path: Path, group: ChildGroup) -> None:
    service = child(group, tmp_path, READY)
    await service.start()
    assert os.getpgid(service.pid) == group.number
    await service.end()
    assert await service.ended() == "ended by SIGTERM"
    await service.end()  # nothing is left to do


async def test_zookeeper_says_when_it_serves(tmp_path: Path, group: ChildGroup) -> None:
    server = child(group, tmp_path, ZOOKEEPER, service=False)
    await server.start()
    os.kill(server.pid, signal.SIGKILL)
    assert await server.ended() == "ended by SIGKILL"
    await server.start()
    await server.end()


@pytest.mark.parametrize("service", [True, False])
async def test_who_ends_at_once_is_told_of(
    tmp_path: Path, group: ChildGroup, service: bool
) -> None:
    broken = child(group, tmp_path, FAILS, service=service)
    with pytest.raises(ChildError) as caught:
        await broken.start()
    text = str(caught.value)
    assert text.startswith("bookie-0 did not start: ended with exit code 3; its log is ")
    assert "it is broken" in text


async def test_who_does_not_become_ready_is_ended(
    tmp_path: Path, group: ChildGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_process, "START_TIMEOUT_S", 0.1)
    silent = child(group, tmp_path, "import time; time.sleep(600)")
    with pytest.raises(ChildError, match="is not ready after"):
        await silent.start()
    assert await silent.ended() == "ended by SIGTERM"


async def test_who_does_not_end_is_killed(tmp_path: Path, group: ChildGroup) -> None:
    stubborn = child(group, tmp_path, STUBBORN, end_timeout_s=0.1)
    await stubborn.start()
    with pytest.raises(ChildError, match="was killed"):
        await stubborn.end()
    assert await stubborn.ended() == "ended by SIGKILL"
