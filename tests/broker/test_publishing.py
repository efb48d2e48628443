"""The publish pipeline of a topic, as a model: receipts and errors in the order of the sends."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from magnetar_broker.config import BrokerConfig
from magnetar_broker.errors import BrokerError
from magnetar_broker.policies.defaults import broker_level
from magnetar_broker.policies.values import TopicPolicies
from magnetar_broker.producer import Producer
from magnetar_broker.publish_rows import NO_SEQUENCE_ID
from magnetar_broker.topic import Topic
from magnetar_broker.topic_name import TopicName
from magnetar_ledger.errors import LedgerClosedError
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.frames import FrameSplitter
from magnetar_proto.payloads import encode_payload

from tests.broker.conftest import FakeClock
from tests.broker.consuming import context
from tests.broker.fake_ledger import FakeLedger

GOOD = encode_payload(api.MessageMetadata(producer_name="p", sequence_id=0, publish_time=1), b"x")
DAMAGED = GOOD[:-1] + b"y"


class Service:
    """What a topic asks of its service."""

    def __init__(self) -> None:
        self.config = BrokerConfig()
        self.clock = FakeClock()
        self.consume_context = context()

    def takes_entries(self) -> bool:
        return True


class Window:
    """What a topic asks of the publishes of a connection."""

    def __init__(self) -> None:
        self.topic: Topic | None = None

    def to(self, topic: Topic) -> None:
        self.topic = topic


class Link:
    """What a topic asks of a connection; keeps what it was told."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.publishes = Window()
        self.ended = 0
        self._splitter = FrameSplitter(1 << 20)

    def send(self, data: bytes) -> None:
        self.sent += [message for _, message, _ in self._splitter.feed(data)]

    def publishes_ended(self, count: int, size_bytes: int) -> None:
        assert size_bytes == count * len(GOOD)
        self.ended += count

    def drop_producer(self, producer: Producer) -> None:
        pass


class Subscriber:
    """What a topic asks of a subscription."""

    def __init__(self) -> None:
        self.told = 0

    def entries_available(self) -> None:
        self.told += 1


class Waiter:
    """Would hear of a producer that waits."""

    def turn_came(self) -> None:
        raise AssertionError("did not wait")

    def refused(self, error: BrokerError) -> None:
        raise AssertionError("did not wait")


def attach_now(topic: Topic, producer: Producer) -> None:
    """Attach a producer that has nothing to wait for, without a loop."""
    with pytest.raises(StopIteration) as ended:
        topic.add_producer(producer, Waiter()).send(None)
    assert ended.value.value is True


def new_topic(link_count: int) -> tuple[Topic, FakeLedger, list[Link], list[Producer]]:
    ledger, service = FakeLedger(), Service()
    policies = TopicPolicies.of({}, {}, broker_level(service.config))
    topic = Topic(TopicName.parse("x"), ledger, service, policies)  # type: ignore[arg-type]
    links = [Link() for _ in range(link_count)]
    producers = [
        Producer(
            topic,
            link,  # type: ignore[arg-type]
            number,
            f"p{number}",
            epoch=0,
            user_provided_name=True,
            access_mode=0,
        )
        for number, link in enumerate(links)
    ]
    for producer in producers:
        attach_now(topic, producer)
    return topic, ledger, links, producers


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(0, 2)),
        st.tuples(st.just("damaged"), st.integers(0, 2)),
        st.tuples(st.just("confirm"), st.integers(1, 5)),
        st.tuples(st.just("fail"), st.integers(1, 5)),
    ),
    max_size=40,
)


@given(STEPS)
def test_trap_6_every_send_ends_once_and_in_order(steps: Sequence[tuple[str, int]]) -> None:
    topic, ledger, links, producers = new_topic(3)
    published = [0, 0, 0]
    for step, number in steps:
        if step in ("send", "damaged"):
            payload = GOOD if step == "send" else DAMAGED
            topic.publish(producers[number], published[number], NO_SEQUENCE_ID, 1, payload)
            topic.append_published()
            published[number] += 1
        elif (count := min(number, ledger.pending)) and step == "confirm":
            ledger.confirm(count)
        elif count:
            ledger.fail(LedgerClosedError("gone"), count)
    if ledger.pending:
        ledger.confirm()
    entry_ids = []
    for number, link in enumerate(links):
        ends = [each for each in link.sent if not isinstance(each, api.CommandCloseProducer)]
        assert [each.sequence_id for each in ends] == list(range(published[number]))
        assert link.ended == published[number]
        entry_ids += [
            each.message_id.entryId for each in ends if isinstance(each, api.CommandSendReceipt)
        ]
        closes = len(link.sent) - len(ends)
        assert closes == (1 if any(step == "fail" for step, _ in steps) else 0) or not closes
    assert sorted(entry_ids) == list(range(len(ledger.payloads)))
    topic.check_attachable()  # whatever failed, when all has ended producers may come again


def test_subscriptions_hear_once_per_batch_behind_the_receipts() -> None:
    topic, ledger, [link], [producer] = new_topic(1)
    subscriber = Subscriber()
    topic.subscriptions["s"] = subscriber  # type: ignore[assignment]
    for sequence_id in range(5):
        topic.publish(producer, sequence_id, NO_SEQUENCE_ID, 2, GOOD)
        topic.append_published()
    ledger.confirm()
    assert subscriber.told == 1
    assert len(link.sent) == 5
    assert (topic.messages_in, topic.bytes_in) == (10, 5 * len(GOOD))


def test_errors_name_the_last_message_of_a_batch() -> None:
    topic, ledger, [link], [producer] = new_topic(1)
    topic.publish(producer, 3, 7, 5, GOOD)
    topic.append_published()
    topic.publish(producer, 8, 9, 2, DAMAGED)
    topic.append_published()
    ledger.fail(LedgerClosedError("gone"))
    assert [each.sequence_id for each in link.sent[:2]] == [7, 9]
