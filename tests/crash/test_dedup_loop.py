"""kill -9 with deduplication: each message there once, though sent again and again.

DEDUP_MESSAGES=50000 is the full form, in which more are sent again than are different; the default
is a quick look.
"""

import json
import os
import random
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from bench.servers import Magnetar
from tests.crash.dedup_loop import SETTINGS, DedupLoop

pytestmark = pytest.mark.official

FULL = 50_000
MESSAGES = int(os.environ.get("DEDUP_MESSAGES", "2500"))
SEED = int(os.environ.get("DEDUP_SEED", str(random.randrange(1 << 32))))


@pytest.fixture
def magnetar(tmp_path: Path) -> Iterator[Magnetar]:
    server = Magnetar(tmp_path, SETTINGS)
    yield server
    server.kill()


def test_none_is_stored_twice(magnetar: Magnetar, capsys: pytest.CaptureFixture[str]) -> None:
    summary = DedupLoop(magnetar, random.Random(SEED)).run(MESSAGES)
    with capsys.disabled():
        print("\n" + json.dumps({"seed": SEED, **asdict(summary)}))
    assert summary.wrong == 0
    assert summary.kills >= 4
    assert summary.resent >= (MESSAGES if MESSAGES >= FULL else 1)
