from typing import Any

import pytest
from magnetar.consumer_core import ConsumerCore
from magnetar.consumer_options import ConsumerOptions
from magnetar.message import Message
from magnetar.message_id import MessageId
from magnetar.outgoing import PayloadEncoder, batched, with_checksum
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.errors import PayloadError

ENCODER = PayloadEncoder("n", 0, bytes, b"")


class Source:
    """Stands for a consumer."""

    partition = -1
    topic = "t"

    def decode(self, message: Message) -> Any:
        return message.data().decode()


def core(**options: Any) -> ConsumerCore:
    return ConsumerCore(Source(), 1, ConsumerOptions(subscription_name="s", **options))


def command(entry_id: int, **more: Any) -> api.CommandMessage:
    place = api.MessageIdData(ledgerId=1, entryId=entry_id)
    return api.CommandMessage(consumer_id=1, message_id=place, **more)


def single(content: bytes) -> bytes:
    return ENCODER.plain(1, 2, content)


def batch(*contents: bytes) -> bytes:
    body = b"".join(batched(each, n, None) + each for n, each in enumerate(contents))
    return ENCODER.batch(0, len(contents) - 1, 1, len(contents), body, None)


def texts(found: tuple[list[Message], int]) -> tuple[list[str], int]:
    return [message.value() for message in found[0]], found[1]


def test_entries_give_messages() -> None:
    consumer = core()
    [message], unwanted = consumer.entry(command(3, redelivery_count=2), single(b"x"))
    assert unwanted == 0
    assert (message.message_id(), message.redelivery_count()) == (MessageId(-1, 1, 3), 2)
    messages, _ = consumer.entry(command(4), batch(b"a", b"b"))
    assert [message.message_id() for message in messages] == [
        MessageId(-1, 1, 4, 0),
        MessageId(-1, 1, 4, 1),
    ]
    assert [message.sequence_id() for message in messages] == [0, 1]


def test_acknowledged_ones_of_a_batch_are_left_out_and_cost_nothing() -> None:
    assert texts(core().entry(command(1, ack_set=[0b101]), batch(b"a", b"b", b"c"))) == (
        ["a", "c"],
        0,
    )


@pytest.mark.parametrize(
    ("start", "inclusive", "wanted"),
    [
        (MessageId(-1, 1, 5, 1), False, ["c"]),
        (MessageId(-1, 1, 5, 1), True, ["b", "c"]),
        (MessageId(-1, 1, 5), False, []),
        (MessageId(-1, 1, 5), True, ["a", "b", "c"]),
        (MessageId(-1, 1, 4, 1), False, ["a", "b", "c"]),
        (MessageId.earliest, False, ["a", "b", "c"]),
        (MessageId.latest, False, ["a", "b", "c"]),
    ],
)
def test_what_lies_before_the_start_is_not_wanted(
    start: MessageId, inclusive: bool, wanted: list[str]
) -> None:
    consumer = core(start_message_id=start, start_message_id_inclusive=inclusive, durable=False)
    assert texts(consumer.entry(command(5), batch(b"a", b"b", b"c"))) == (wanted, 3 - len(wanted))
    expected = ([], 1) if start == MessageId(-1, 1, 5) and not inclusive else None
    if start.batch_index() < 0 and expected:
        assert texts(consumer.entry(command(5), single(b"x"))) == expected


def test_a_reader_goes_on_behind_what_it_gave() -> None:
    consumer = core(start_message_id=MessageId.earliest, durable=False)
    messages, _ = consumer.entry(command(5), batch(b"a", b"b", b"c"))
    consumer.position = messages[1].message_id()
    consumer.detached()
    consumer.resume()
    assert texts(consumer.entry(command(5), batch(b"a", b"b", b"c"))) == (["c"], 2)
    consumer.start_from(MessageId(-1, 1, 2), inclusive=True)
    assert consumer.position is None
    assert texts(consumer.entry(command(2), single(b"x"))) == (["x"], 0)


def test_a_subscription_set_back_after_a_seek_gets_what_lies_before() -> None:
    consumer = core()
    consumer.start_from(MessageId(-1, 1, 5, 0), inclusive=False)
    assert texts(consumer.entry(command(5), batch(b"a", b"b"))) == (["b"], 1)
    consumer.acks.forget()
    # An operator resets the cursor: the broker closes the consumer, and sends from there.
    consumer.detached()
    consumer.resume()
    assert texts(consumer.entry(command(2), single(b"x"))) == (["x"], 0)
    assert consumer.acks.take() == []


def test_permits_are_told_by_halves() -> None:
    consumer = core(receiver_queue_size=10)
    assert consumer.first_permits == 10
    assert [consumer.freed(1) for _ in range(6)] == [0, 0, 0, 0, 5, 0]
    assert consumer.freed(100) == 101
    alone = core(receiver_queue_size=0)
    assert (alone.first_permits, alone.freed(1)) == (0, 1)


def chunk(uuid: str, number: int, count: int) -> bytes:
    metadata = ENCODER.metadata(1, 2, 0)
    metadata.uuid, metadata.chunk_id, metadata.num_chunks_from_msg = uuid, number, count
    return with_checksum(metadata.SerializeToString(), b"%s%d" % (uuid.encode(), number))


def test_a_reader_that_is_cut_between_chunks_gets_them_all_again() -> None:
    topic = [chunk("b", 0, 2), single(b"x"), chunk("a", 0, 2), chunk("a", 1, 2), chunk("b", 1, 2)]
    reader = core(durable=False)

    def sent(begin: int, end: int) -> list[str]:
        values = []
        for place in range(begin, end):
            for message in reader.entry(command(place), topic[place])[0]:
                reader.given(message)
                values.append(message.value())
        return values

    def cut() -> MessageId | None:
        reader.detached()
        begin = reader.beginning(MessageId.earliest)
        reader.resume()
        return begin

    assert sent(0, 4) == ["x", "a0a1"]
    assert cut() == MessageId(-1, 1, 0)
    assert cut() == MessageId(-1, 1, 0)  # before anything came
    assert sent(0, 5) == ["b0b1"]
    assert cut() == MessageId(-1, 1, 4)


def test_a_message_in_chunks_that_waits_in_the_queue_comes_whole_again() -> None:
    reader = core(durable=False)
    reader.entry(command(0), chunk("a", 0, 2))
    [between], _ = reader.entry(command(1), single(b"x"))
    reader.entry(command(2), chunk("a", 1, 2))
    reader.given(between)
    reader.detached()
    assert reader.beginning(None) == MessageId(-1, 1, 0)


def test_a_reader_begins_at_the_first_chunk_of_what_it_is_to_give() -> None:
    whole = MessageId(-1, 1, 5, first_chunk=MessageId(-1, 1, 2))
    options = {"durable": False, "start_message_id": whole}
    assert core(**options, start_message_id_inclusive=True).beginning(whole) == MessageId(-1, 1, 2)
    assert core(**options).beginning(whole) == whole


def test_chunks() -> None:
    consumer = core()
    for number in range(3):
        found = consumer.entry(command(number), chunk("u", number, 3))
    [message] = found[0]
    assert message.data() == b"u0u1u2"
    assert message.message_id() == MessageId(-1, 1, 2)
    assert message.message_id().first_chunk() == MessageId(-1, 1, 0)
    assert consumer.acks.entry_of((1, 2)) == [(1, 0), (1, 1), (1, 2)]


def test_chunks_that_are_not_wanted_after_a_seek_are_acknowledged() -> None:
    consumer = core()
    consumer.start_from(MessageId(-1, 1, 2), inclusive=False)
    for number in range(3):
        assert consumer.entry(command(number), chunk("u", number, 3)) == ([], 1)
    [told] = consumer.acks.take()
    assert [each.entryId for each in told.message_id] == [0, 1, 2]


def test_damage() -> None:
    with pytest.raises(PayloadError):
        core().entry(command(1), single(b"x")[:-1] + b"!")
