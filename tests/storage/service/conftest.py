"""A bookie service for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.storage.service.peer import Peer, World


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = await World(tmp_path, max_reads_in_work_per_connection=4).open()
    yield world
    world.box.journal_worker.release()
    world.context.polls.close()
    await world.box.bookie.close()


@pytest.fixture
def peer(world: World) -> Peer:
    return world.peer()
