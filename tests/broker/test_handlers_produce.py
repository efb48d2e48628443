"""Producers: attaching, publishing, receipts in order, failures."""

import pytest
from magnetar_broker.config import BrokerConfig
from magnetar_broker.errors import ErrorCode
from magnetar_ledger.errors import (
    LedgerClosedError,
    ManagedLedgerFencedError,
    ManagedLedgerTerminatedError,
)
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_runtime.limits import Limits

from tests.broker.client import Client, kind_of, send_frame, sends
from tests.broker.conftest import Broker, StartBroker

MINUS_ONE = 2**64 - 1


async def test_producer_gets_a_name(broker: Broker) -> None:
    client = await broker.client()
    first = await client.produce("x", 1)
    second = await client.produce("x", 2)
    assert first.producer_name == "standalone-0-0"
    assert second.producer_name == "standalone-0-1"
    assert first.last_sequence_id == -1
    assert first.schema_version == b""
    assert first.producer_ready


async def test_producer_with_a_schema_is_taken(broker: Broker) -> None:
    client = await broker.client()
    schema = api.Schema(name="s", schema_data=b"", type=api.Schema.String)
    reply = await client.produce("x", 1, schema=schema)
    assert kind_of(reply) == "producer_success"
    assert reply.schema_version == b""


async def test_bad_topic_name(broker: Broker) -> None:
    client = await broker.client()
    reply = await client.produce("a/b", 1)
    assert (reply.request_id, reply.error) == (1001, ErrorCode.INVALID_TOPIC_NAME)


async def test_receipts(broker: Broker) -> None:
    client = await broker.client()
    await client.produce("x", 1)
    client.publish(*sends(1, 0, 1, 2))
    assert await client.turn() == []
    broker.ledger("x").confirm(2)
    receipts = await client.turn()
    assert [(r.sequence_id, r.message_id.ledgerId, r.message_id.entryId) for r in receipts] == [
        (0, 1, 0),
        (1, 1, 1),
    ]
    assert client.transport.writes == 3  # CONNECTED, PRODUCER_SUCCESS, both receipts at once


@pytest.mark.parametrize(
    ("fields", "highest"),
    [
        ({"sequence_id": 5}, MINUS_ONE),
        ({"sequence_id": 0}, MINUS_ONE),
        ({"sequence_id": 5, "highest_sequence_id": 9}, 9),
        ({"sequence_id": 5, "highest_sequence_id": 5}, 5),
        ({"sequence_id": 0, "highest_sequence_id": 0}, 0),
    ],
)
async def test_trap_1_minus_one_is_unsigned_in_receipts(
    broker: Broker, fields: dict[str, int], highest: int
) -> None:
    client = await broker.client()
    await client.produce("x", 1)
    client.publish(api.CommandSend(producer_id=1, **fields))
    broker.ledger("x").confirm()
    [receipt] = await client.turn()
    assert receipt.highest_sequence_id == highest
    assert receipt.sequence_id == fields["sequence_id"]


async def test_trap_6_receipts_in_the_order_of_sends(broker: Broker) -> None:
    """A damaged message between good ones is refused only when its turn has come."""
    client = await broker.client()
    await client.produce("x", 1)
    await client.produce("x", 2)
    first, damaged, third = sends(1, 0, 1, 2)
    client.feed(
        send_frame(first)
        + send_frame(sends(2, 0)[0])
        + send_frame(damaged, damaged=True)
        + send_frame(third)
    )
    ledger = broker.ledger("x")
    assert ledger.pending == 3
    ledger.confirm(1)
    assert [r.sequence_id for r in await client.turn()] == [0]
    ledger.confirm(2)
    rest = await client.turn()
    told = [(kind_of(r), r.producer_id, r.sequence_id) for r in rest]
    assert told == [("send_receipt", 2, 0), ("send_error", 1, 1), ("send_receipt", 1, 2)]
    assert rest[1].error == ErrorCode.CHECKSUM


async def test_trap_3_a_lone_damaged_message_costs_itself_only(broker: Broker) -> None:
    client = await broker.client()
    await client.produce("x", 1)
    client.feed(send_frame(sends(1, 0)[0], damaged=True))
    [error] = await client.turn()
    assert (error.producer_id, error.sequence_id, error.error) == (1, 0, ErrorCode.CHECKSUM)
    client.publish(*sends(1, 1))
    broker.ledger("x").confirm()
    [receipt] = await client.turn()
    assert receipt.sequence_id == 1


async def test_payload_is_stored_verbatim(broker: Broker) -> None:
    client = await broker.client()
    await client.produce("x", 1)
    frame = send_frame(sends(1, 0)[0], b"body")
    client.feed(frame, chunk_bytes=3)
    ledger = broker.ledger("x")
    ledger.confirm()
    assert frame.endswith(ledger.payloads[0])
    assert ledger.payloads[0].startswith(b"\x0e\x01")


async def test_trap_3_failure_closes_producers_once_and_lets_them_come_again(
    broker: Broker,
) -> None:
    """An error alone would have the C++ client close its connection for ever and ever."""
    client = await broker.client()
    await client.produce("x", 1)
    client.publish(
        *sends(1, 0, 1),
        api.CommandSend(producer_id=1, sequence_id=2, num_messages=3, highest_sequence_id=4),
    )
    ledger = broker.ledger("x")
    ledger.fail(LedgerClosedError("gone"), 2)
    told = await client.turn()
    assert [(kind_of(r), r.sequence_id) for r in told] == [("send_error", 0), ("send_error", 1)]
    assert told[0].error == ErrorCode.PERSISTENCE
    # What the client sent before it heard of it is ignored; the connection stays.
    client.publish(*sends(1, 5))
    assert ledger.pending == 1
    # Until all that is under way has ended nobody may overtake it.
    again = await client.produce("x", 1, epoch=1)
    assert again.error == ErrorCode.SERVICE_NOT_READY
    ledger.fail(LedgerClosedError("gone"), 1)
    error, close = await client.turn()
    assert (kind_of(error), error.sequence_id) == ("send_error", 4)
    assert (kind_of(close), close.producer_id) == ("close_producer", 1)
    assert close.request_id == MINUS_ONE
    again = await client.produce("x", 1, epoch=1)
    assert kind_of(again) == "producer_success"
    client.publish(*sends(1, 0))
    ledger.confirm()
    [receipt] = await client.turn()
    assert receipt.sequence_id == 0


async def test_failure_of_one_of_several_tells_behind_the_receipts_of_the_rest(
    broker: Broker,
) -> None:
    """Told at once, the client would send again what is being stored."""
    client = await broker.client()
    await client.produce("x", 1)
    client.publish(*sends(1, 0, 1, 2))
    ledger = broker.ledger("x")
    ledger.fail(LedgerClosedError("gone"), 1)
    ledger.confirm()
    told = [kind_of(r) for r in await client.turn()]
    assert told == ["send_error", "send_receipt", "send_receipt", "close_producer"]


async def test_topic_taken_over_by_another_broker_is_unloaded(broker: Broker) -> None:
    client = await broker.client()
    await client.produce("x", 1)
    client.publish(*sends(1, 0))
    ledger = broker.ledger("x")
    ledger.fail(ManagedLedgerFencedError("taken over"))
    told = [kind_of(r) for r in await client.turn()]
    assert told == ["send_error", "close_producer"]
    assert ledger.closed
    assert broker.service.topics.loaded == {}
    await client.produce("x", 1, epoch=1)
    assert broker.ledger("x") is not ledger


async def test_a_topic_that_is_lost_sends_its_clients_away_at_once(broker: Broker) -> None:
    client = await broker.client()
    await client.produce("x", 1)
    client.publish(*sends(1, 0))
    ledger = broker.ledger("x")
    ledger.fenced(ManagedLedgerFencedError("another owner changed the cursor"))
    assert await client.turn() == []  # the receipt or error of what is under way comes first
    ledger.fail(ManagedLedgerFencedError("another owner changed the cursor"))
    assert [kind_of(r) for r in await client.turn()] == ["send_error", "close_producer"]
    assert ledger.closed
    assert broker.service.topics.loaded == {}


async def test_terminated_topic(broker: Broker) -> None:
    client = await broker.client()
    await client.produce("x", 1)
    client.publish(*sends(1, 0))
    ledger = broker.ledger("x")
    ledger.terminated = True
    ledger.fail(ManagedLedgerTerminatedError("x"))
    error, close = await client.turn()
    assert error.error == ErrorCode.TOPIC_TERMINATED
    assert kind_of(close) == "close_producer"
    reply = await client.produce("x", 1, epoch=1)
    assert reply.error == ErrorCode.TOPIC_TERMINATED


async def test_send_of_an_unknown_producer_costs_the_connection(broker: Broker) -> None:
    client, other = await broker.client(1), await broker.client(2)
    client.publish(*sends(9, 0))
    assert client.transport.closing
    assert not other.transport.closing


async def test_send_of_a_producer_closed_long_ago_costs_the_connection(broker: Broker) -> None:
    client = await broker.client()
    await client.produce("x", 1)
    client.publish(*sends(1, 0))
    broker.ledger("x").fail(LedgerClosedError("gone"))
    for _ in range(2):
        client.publish(*sends(1, 1))
        assert not client.transport.closing
        client.connection.keep_alive_tick(connected=True)
    client.publish(*sends(1, 2))
    assert client.transport.closing


async def test_close_producer_is_answered_behind_the_last_receipt(broker: Broker) -> None:
    client = await broker.client()
    await client.produce("x", 1)
    client.publish(*sends(1, 0))
    client.send(api.CommandCloseProducer(producer_id=1, request_id=5))
    assert await client.turn() == []
    broker.ledger("x").confirm()
    receipt, success = await client.turn()
    assert (receipt.sequence_id, success.request_id) == (0, 5)


async def test_close_of_an_unknown_producer_succeeds(broker: Broker) -> None:
    client = await broker.client()
    reply = await client.ask(api.CommandCloseProducer(producer_id=1, request_id=5))
    assert (kind_of(reply), reply.request_id) == ("success", 5)


async def test_producer_closed_while_its_topic_loads(broker: Broker) -> None:
    client = await broker.client()
    client.send(
        api.CommandProducer(topic="x", producer_id=1, request_id=2, producer_name="p"),
        api.CommandCloseProducer(producer_id=1, request_id=3),
        api.CommandProducer(topic="x", producer_id=1, request_id=4, producer_name="p"),
    )
    replies = {reply.request_id: kind_of(reply) for reply in await client.turn(200)}
    assert replies[3] == "success"
    assert replies[4] == "producer_success"
    assert list(client.connection.producers) == [1]
    [topic] = broker.service.topics.loaded.values()
    assert list(topic.producers.values()) == [client.connection.producers[1]]


async def test_same_request_again_while_under_way(broker: Broker) -> None:
    client = await broker.client()
    request = api.CommandProducer(topic="x", producer_id=1, request_id=2)
    client.send(request, request)
    replies = await client.turn(200)
    assert sorted(kind_of(reply) for reply in replies) == ["error", "producer_success"]
    assert replies[0].error == ErrorCode.SERVICE_NOT_READY


async def test_same_producer_again_is_there_already(broker: Broker) -> None:
    client = await broker.client()
    first = await client.produce("x", 1)
    second = await client.produce("x", 1)
    assert second.producer_name == first.producer_name


async def test_higher_epoch_replaces_silently(broker: Broker) -> None:
    client = await broker.client()
    await client.produce("x", 1, producer_name="p")
    old = client.connection.producers[1]
    reply = await client.produce("x", 1, producer_name="p", epoch=1)
    assert kind_of(reply) == "producer_success"
    assert old.closed
    assert client.connection.producers[1] is not old


async def test_name_taken_on_the_same_connection(broker: Broker) -> None:
    client = await broker.client()
    await client.produce("x", 1, producer_name="p")
    reply = await client.produce("x", 2, producer_name="p")
    assert reply.error == ErrorCode.PRODUCER_BUSY
    other_topic = await client.produce("y", 2, producer_name="p")
    assert kind_of(other_topic) == "producer_success"


async def test_trap_4_name_taken_by_a_client_that_lives(broker: Broker) -> None:
    client, newcomer = await broker.client(1), await broker.client(2)
    await client.produce("x", 1, producer_name="p")
    newcomer.send(api.CommandProducer(topic="x", producer_id=1, request_id=2, producer_name="p"))
    [ping] = await client.turn()
    assert kind_of(ping) == "ping"
    client.send(api.CommandPong())
    [reply] = await newcomer.turn()
    assert reply.error == ErrorCode.PRODUCER_BUSY
    assert not client.transport.closing


async def test_name_taken_by_a_client_that_is_dead(start_broker: StartBroker) -> None:
    limits = Limits(connection_liveness_timeout_ms=1)
    broker = await start_broker(BrokerConfig(limits=limits))
    client, newcomer = await broker.client(1), await broker.client(2)
    await client.produce("x", 1, producer_name="p")
    reply = await newcomer.produce("x", 1, producer_name="p")
    assert kind_of(reply) == "producer_success"
    assert client.transport.aborted
    assert newcomer.connection.producers[1].topic.producers["p"].connection is newcomer.connection


@pytest.mark.parametrize(("topic", "name"), [("y", "p"), ("x", "q")])
async def test_a_producer_that_comes_again_as_another_leaves_its_old_place(
    broker: Broker, topic: str, name: str
) -> None:
    client = await broker.client()
    await client.produce("x", 1, producer_name="p")
    old = client.connection.producers[1].topic
    await client.produce(topic, 1, producer_name=name, epoch=1)
    new = client.connection.producers[1].topic
    assert list(new.producers) == [name]
    assert old is new or not old.producers
    client.transport.close()
    await client.turn()
    assert not new.producers


async def test_exclusive_producer(broker: Broker) -> None:
    client = await broker.client()
    exclusive = api.ProducerAccessMode.Exclusive
    await client.produce("x", 1, producer_access_mode=exclusive)
    assert (await client.produce("x", 2)).error == ErrorCode.PRODUCER_BUSY
    second = await client.produce("x", 3, producer_access_mode=exclusive)
    assert second.error == ErrorCode.PRODUCER_FENCED
    await client.ask(api.CommandCloseProducer(producer_id=1, request_id=5))
    assert kind_of(await client.produce("x", 2)) == "producer_success"
    late = await client.produce("x", 3, producer_access_mode=exclusive)
    assert late.error == ErrorCode.PRODUCER_FENCED


async def test_most_producers_of_a_topic(start_broker: StartBroker) -> None:
    broker = await start_broker(BrokerConfig(limits=Limits(max_producers_per_topic=1)))
    client = await broker.client()
    await client.produce("x", 1)
    assert (await client.produce("x", 2)).error == ErrorCode.PRODUCER_BUSY


async def test_producers_leave_with_their_connection(broker: Broker) -> None:
    client = await broker.client()
    await client.produce("x", 1)
    client.publish(*sends(1, 0))
    client.transport.close()
    await client.turn()
    [topic] = broker.service.topics.loaded.values()
    assert topic.producers == {}
    broker.ledger("x").confirm()  # nobody is left to hear of it
    assert client.transport.written == b""


async def test_reading_stops_above_the_limit_of_pending_messages(
    start_broker: StartBroker,
) -> None:
    limits = Limits(max_pending_publishes_per_connection=10)
    broker = await start_broker(BrokerConfig(limits=limits))
    client = await broker.client()
    await client.produce("x", 1)
    client.publish(*sends(1, *range(10)))
    assert client.transport.reading
    client.publish(*sends(1, 10))
    assert not client.transport.reading
    broker.ledger("x").confirm(5)
    assert not client.transport.reading
    broker.ledger("x").confirm(1)
    assert client.transport.reading


async def test_reading_stops_above_the_limit_of_pending_bytes(start_broker: StartBroker) -> None:
    limits = Limits(max_pending_publish_bytes_per_connection=1000)
    broker = await start_broker(BrokerConfig(limits=limits))
    client = await broker.client()
    await client.produce("x", 1)
    client.publish(*sends(1, 0, 1), body=bytes(600))
    assert not client.transport.reading
    broker.ledger("x").confirm(1)
    assert not client.transport.reading
    broker.ledger("x").confirm(1)
    assert client.transport.reading


async def test_reading_stops_while_the_ledger_is_not_writable(broker: Broker) -> None:
    client, other = await broker.client(1), await broker.client(2)
    await client.produce("x", 1)
    await other.produce("y", 1)
    broker.ledger("x").writable = False
    client.publish(*sends(1, 0))
    other.publish(*sends(1, 0))
    assert not client.transport.reading
    assert other.transport.reading
    broker.ledger("x").confirm()
    assert not client.transport.reading
    broker.ledger("x").make_writable()
    assert client.transport.reading


@pytest.mark.parametrize("client_count", [3])
async def test_receipts_reach_their_own_connections(broker: Broker, client_count: int) -> None:
    clients: list[Client] = []
    for port in range(client_count):
        client = await broker.client(port)
        await client.produce("x", port)
        clients.append(client)
    for sequence_id in range(4):
        for port, client in enumerate(clients):
            client.publish(*sends(port, sequence_id))
    broker.ledger("x").confirm()
    for port, client in enumerate(clients):
        receipts = await client.turn()
        assert [(r.producer_id, r.sequence_id) for r in receipts] == [(port, n) for n in range(4)]
        assert client.connection.publishes.messages == 0
        assert client.connection.publishes.size_bytes == 0


async def test_a_message_of_a_transaction_is_refused_in_its_turn(broker: Broker) -> None:
    client = await broker.client()
    await client.produce("x", 1)
    of_transaction = api.CommandSend(
        producer_id=1, sequence_id=1, txnid_least_bits=0, txnid_most_bits=0
    )
    client.publish(*sends(1, 0), of_transaction, *sends(1, 2))
    assert await client.turn() == []
    broker.ledger("x").confirm()
    answers = await client.turn()
    assert [kind_of(one) for one in answers] == ["send_receipt", "send_error", "send_receipt"]
    assert (answers[1].sequence_id, answers[1].error) == (1, api.ServerError.NotAllowedError)
    assert client.connection.publishes.messages == 0
    assert client.connection.publishes.size_bytes == 0
