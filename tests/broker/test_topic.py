"""A topic's life: when nobody uses it."""

from typing import Any

from magnetar_broker.publish_rows import NO_SEQUENCE_ID

from tests.broker.test_publishing import GOOD, new_topic


def test_topic_is_inactive_when_unused_for_long() -> None:
    topic, ledger, _, [producer] = new_topic(1)
    clock: Any = topic.service.clock
    clock.now_ns += 10**12
    assert not topic.inactive
    topic.publish(producer, 0, NO_SEQUENCE_ID, 1, GOOD)
    topic.append_published()
    topic.remove_producer(producer)
    clock.now_ns += 10**12
    assert not topic.inactive
    ledger.confirm()
    assert topic.inactive
