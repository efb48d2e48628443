import pytest
from magnetar_proto import pulsar_api_pb2 as api

from tests.broker.consuming import FakeLink, consumer, link_of, payload


@pytest.mark.parametrize("epoch", [None, 0, 7])
def test_a_run_is_what_single_entries_are(epoch: int | None) -> None:
    entries = [payload(n) for n in range(3)]
    one, other = consumer(epoch=epoch), consumer(epoch=epoch)
    one.partition = other.partition = 4
    one.send_run(3, 126, entries)
    for entry_id, entry in enumerate(entries, 126):
        other.send_entry(3, entry_id, 0, (), entry)
    assert b"".join(link_of(one).sent) == b"".join(link_of(other).sent)
    messages = link_of(one).messages()
    assert [message.message_id.entryId for message in messages] == [126, 127, 128]
    assert {message.message_id.partition for message in messages} == {4}
    assert {message.HasField("consumer_epoch") for message in messages} == {epoch is not None}


def test_counts_and_ack_sets_travel_with_an_entry() -> None:
    for epoch in (None, 2):
        one = consumer(epoch=epoch)
        one.send_entry(3, 4, 5, (-1, 6), payload(0))
        [(message, body)] = link_of(one).frames()
        assert (message.redelivery_count, list(message.ack_set)) == (5, [-1, 6])
        assert body == payload(0)


def test_charging() -> None:
    one = consumer()
    one.permits = 5
    one.charge(7, 100)
    assert (one.permits, one.messages_out, one.bytes_out) == (-2, 7, 100)


@pytest.mark.parametrize(
    ("version", "protocol_version", "heard"),
    [
        ("Pulsar-Java-v4.0.7", 21, 1),
        ("Magnetar 0.1", 21, 1),
        ("Pulsar-CPP-v4.2.0", 21, 0),
        ("Pulsar Go 0.15.0", 21, 0),
        ("unheard of", 21, 0),
        ("Pulsar-Java-v1.0", 8, 0),
    ],
)
def test_trap_2_the_end_of_a_topic_is_told_once_to_those_that_can_take_it(
    version: str, protocol_version: int, heard: int
) -> None:
    one = consumer(link=FakeLink(version=version, protocol_version=protocol_version))
    one.send_end_of_topic()
    one.send_end_of_topic()
    commands = link_of(one).commands()
    assert len(commands) == heard
    assert all(isinstance(command, api.CommandReachedEndOfTopic) for command in commands)


def test_a_consumer_that_is_sent_away_is_forgotten() -> None:
    one = consumer(consumer_id=3)
    one.close()
    [command] = link_of(one).commands()
    assert isinstance(command, api.CommandCloseConsumer)
    assert not one.link.consumers


def test_only_itself_is_forgotten() -> None:
    link = FakeLink()
    old = consumer(consumer_id=3, link=link)
    new = consumer(consumer_id=3, link=link)
    old.forget()
    assert link.consumers == {3: new}
