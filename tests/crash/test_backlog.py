"""A backlog far larger than memory: bounded memory and no long stall, over a restart.

BACKLOG_MIB=8192 is the nightly form; the default is a quick look.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from bench.servers import Magnetar
from tests.crash.backlog import ENTRY_BYTES, MIB, run

BACKLOG_MIB = int(os.environ.get("BACKLOG_MIB", "1024"))
MEMORY_LIMIT_MIB = 250
STALL_LIMIT_MS = 50


@pytest.fixture
def magnetar(tmp_path: Path) -> Iterator[Magnetar]:
    server = Magnetar(tmp_path)
    yield server
    server.kill()
    server.wipe()


@pytest.mark.nightly
def test_a_backlog_is_written_restarted_and_drained_in_bounded_memory(
    magnetar: Magnetar, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = BACKLOG_MIB * MIB // ENTRY_BYTES
    phases = run(magnetar, entries)
    with capsys.disabled():
        print("\n" + json.dumps([asdict(phase) for phase in phases]))
    assert [phase.messages for phase in phases] == [entries, entries]
    assert max(phase.memory_mib for phase in phases) < MEMORY_LIMIT_MIB
    assert all(phase.stall_ms < STALL_LIMIT_MS for phase in phases)
