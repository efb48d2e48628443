"""Fences that damage may have taken are there again before anybody can write."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from magnetar_cli import doubtful_ledgers
from magnetar_cli.doubtful_ledgers import fence_doubtful
from magnetar_metadata.errors import MalformedRecordError
from magnetar_proto.bookie import Status
from magnetar_storage.errors import OutOfUseError

from tests.proto.bookie_contract import KEY
from tests.storage.support import Box
from tests.storage.test_integrity import Registry, closed, opened
from tests.storage.test_ledger_engine import LOST, NEW, WHOLE, damage

UNKNOWN, ELSEWHERE = 98, 99


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Box]:
    box = Box(tmp_path)
    await box.open()
    yield box
    await box.bookie.close()


@pytest.fixture(autouse=True)
def key_of_every_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doubtful_ledgers, "master_key", lambda _: KEY)


def registry_of(box: Box) -> Registry:
    me = box.bookie.bookie_id
    return Registry(
        {
            LOST: opened(me),
            WHOLE: closed(me, 0),
            NEW: opened(me),
            UNKNOWN: opened(me),
            ELSEWHERE: opened("another"),
        }
    )


async def added(box: Box, ledger_id: int) -> Status:
    return (await box.add([5], ledger_id=ledger_id))[5]


async def test_what_is_in_doubt_is_fenced_and_stays_so(box: Box) -> None:
    await damage(box)
    assert await fence_doubtful(box.bookie, registry_of(box)) == 3
    for _ in range(2):
        for ledger_id in (LOST, WHOLE, UNKNOWN):
            assert await added(box, ledger_id) is Status.FENCED
        assert await added(box, NEW) is Status.OK
        assert await added(box, ELSEWHERE) is Status.OK
        await box.restart()


async def test_without_damage_nothing_is_asked(box: Box) -> None:
    await box.add([0], ledger_id=NEW)
    registry = registry_of(box)
    assert await fence_doubtful(box.bookie, registry) == 0
    assert registry.reads == 0
    assert await added(box, NEW) is Status.OK


async def test_metadata_that_cannot_be_read_and_keys_that_differ(
    box: Box, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await damage(box)
    registry = registry_of(box)
    read = registry.read

    async def unreadable(ledger_id: int) -> object:
        if ledger_id == WHOLE:
            raise MalformedRecordError("ledger metadata", "planned")
        return await read(ledger_id)

    monkeypatch.setattr(registry, "read", unreadable)
    monkeypatch.setattr(doubtful_ledgers, "master_key", lambda _: bytes(range(20)))
    await fence_doubtful(box.bookie, registry)
    assert f"ledger {WHOLE} may have lost its fence" in caplog.text
    assert f"ledger {LOST} has another key here" in caplog.text
    assert await added(box, LOST) is Status.OK


async def test_a_fence_that_cannot_be_kept_ends_the_start(box: Box) -> None:
    await damage(box)
    box.disk.failing = "journal"
    with pytest.raises(OutOfUseError, match="cannot be fenced"):
        await fence_doubtful(box.bookie, registry_of(box))
    box.disk.failing = ""
