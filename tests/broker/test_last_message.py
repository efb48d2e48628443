import pytest
from magnetar_broker.last_message import last_message_id
from magnetar_ledger.errors import LedgerError

from tests.broker.consuming import MemoryLog, payload
from tests.broker.subscribed import MemoryTopic


async def last_of(log: MemoryLog) -> tuple[int, int, int]:
    topic = MemoryTopic()
    topic.ledger = log
    last = await last_message_id(topic)
    return last.ledgerId, last.entryId, last.batch_index


NOTHING = (2**64 - 1, 2**64 - 1, -1)


async def test_trap_13_an_empty_topic_has_minus_one() -> None:
    assert await last_of(MemoryLog()) == NOTHING


@pytest.mark.parametrize("cached", [True, False])
async def test_the_last_entry(cached: bool) -> None:
    log = MemoryLog(cached=cached)
    log.add(payload(0, batch=5))
    assert await last_of(log) == (1, 0, 4)
    log.add(payload(1))
    assert await last_of(log) == (1, 1, -1)
    log.roll_over()
    assert await last_of(log) == (1, 1, -1)


async def test_a_topic_whose_entries_are_trimmed_has_minus_one() -> None:
    log = MemoryLog()
    log.add(payload(0))
    log.roll_over()
    log.trim()
    assert await last_of(log) == NOTHING


async def test_an_entry_that_is_no_message_has_a_position() -> None:
    log = MemoryLog()
    log.add(b"broken")
    assert await last_of(log) == (1, 0, -1)


async def test_an_unreadable_entry_is_an_error() -> None:
    log = MemoryLog(cached=False)
    log.add(payload(0))
    log.failures = 1
    with pytest.raises(LedgerError):
        await last_of(log)
