"""Loading topics once, closing and deleting them."""

import asyncio
from typing import Any

import pytest
from magnetar_broker.config import BrokerConfig
from magnetar_broker.errors import (
    PersistenceFailedError,
    ServiceNotReadyError,
    TooManyRequestsError,
    TopicBusyError,
    TopicNotFoundError,
    as_broker_error,
)
from magnetar_broker.topic_name import TopicName
from magnetar_ledger.errors import (
    LedgerClosedError,
    ManagedLedgerFencedError,
    NotEnoughBookiesError,
)
from magnetar_metadata.errors import UnknownOutcomeError
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_runtime.limits import Limits
from magnetar_runtime.scope import TaskScope

from tests.broker.client import kind_of, sends
from tests.broker.conftest import Broker, StartBroker

X = TopicName.parse("x")


async def test_loaded_once_for_all_who_ask(broker: Broker) -> None:
    gate = asyncio.Event()

    async def opened() -> None:
        await asyncio.wait_for(gate.wait(), 5)

    broker.before_open = opened
    asked = [asyncio.ensure_future(broker.service.topic(X, create=True)) for _ in range(5)]
    asked[0].cancel()  # the first who asks does not take the others with it
    for _ in range(20):
        await asyncio.sleep(0)
    gate.set()
    topics = await asyncio.gather(*asked[1:])
    assert broker.opened == ["public/default/persistent/x"]
    assert all(topic is topics[0] for topic in topics)
    assert await broker.service.topic(X, create=False) is topics[0]


async def test_failure_is_told_to_all_and_not_kept(broker: Broker) -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise NotEnoughBookiesError("none")

    broker.before_open = fail
    asked = [broker.service.topic(X, create=True) for _ in range(3)]
    results = await asyncio.gather(*asked, return_exceptions=True)
    for result in results:
        assert isinstance(result, NotEnoughBookiesError)
        assert isinstance(as_broker_error(result), PersistenceFailedError)
    broker.before_open = None
    assert (await broker.service.topic(X, create=True)).name == X


async def test_a_broker_whose_work_has_ended_begins_nothing_for_a_topic_that_is_lost() -> None:
    scope = TaskScope()
    broker = Broker(BrokerConfig(), scope)
    await broker.service.start()
    topic = await broker.service.topic(X, create=True)
    await scope.close()
    broker.ledger("x").fenced(ManagedLedgerFencedError("a cursor found the next owner"))
    assert topic.is_lost
    assert not broker.ledger("x").closed


async def test_topic_that_is_not_there(broker: Broker) -> None:
    with pytest.raises(TopicNotFoundError):
        await broker.service.topic(X, create=False)
    assert broker.opened == []


async def test_load_that_takes_too_long(start_broker: StartBroker) -> None:
    broker = await start_broker(BrokerConfig(limits=Limits(topic_load_timeout_ms=1)))
    gate = asyncio.Event()
    broker.before_open = gate.wait  # type: ignore[assignment]
    with pytest.raises(ServiceNotReadyError):
        await broker.service.topic(X, create=True)
    gate.set()
    for _ in range(20):
        await asyncio.sleep(0)
    assert str(X) in broker.service.topics.loaded  # it is there for who asks again


async def test_most_loads_at_one_time(start_broker: StartBroker) -> None:
    broker = await start_broker(BrokerConfig(limits=Limits(max_concurrent_topic_loads=1)))
    gate = asyncio.Event()
    broker.before_open = gate.wait  # type: ignore[assignment]
    first = asyncio.ensure_future(broker.service.topic(X, create=True))
    for _ in range(20):
        await asyncio.sleep(0)
    with pytest.raises(TooManyRequestsError):
        await broker.service.topic(TopicName.parse("y"), create=True)
    gate.set()
    assert (await first).name == X


async def test_unloaded_topic_tells_producers_behind_their_receipts(broker: Broker) -> None:
    client = await broker.client()
    await client.produce("x", 1)
    client.publish(*sends(1, 0))
    ledger, topic = broker.ledger("x"), broker.service.topics.loaded[str(X)]

    async def close() -> None:
        ledger.confirm()
        ledger.closed = True

    ledger.close = close  # type: ignore[method-assign]
    await broker.service.topics.unload(topic)
    assert [kind_of(r) for r in await client.turn()] == ["send_receipt", "close_producer"]
    client.publish(*sends(1, 1))  # it had not heard of it yet
    assert not client.transport.closing
    again = await client.produce("x", 1, epoch=1)
    assert kind_of(again) == "producer_success"
    assert broker.ledger("x") is not ledger


async def test_topic_asked_for_while_it_is_unloaded_is_loaded_again(broker: Broker) -> None:
    topic = await broker.service.topic(X, create=True)
    ledger = broker.ledger("x")
    gate = asyncio.Event()

    async def close() -> None:
        await gate.wait()
        ledger.closed = True

    ledger.close = close  # type: ignore[method-assign]
    unloading = [asyncio.ensure_future(broker.service.topics.unload(topic)) for _ in range(2)]
    await asyncio.sleep(0)
    asked = asyncio.ensure_future(broker.service.topic(X, create=True))
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(broker.opened) == 1  # two owners of one ledger would fence each other
    gate.set()
    await asyncio.gather(*unloading)
    assert await asked is not topic
    assert len(broker.opened) == 2


async def test_delete(broker: Broker) -> None:
    client = await broker.client()
    await client.produce("x", 1)
    with pytest.raises(TopicBusyError):
        await broker.service.topics.delete(X)
    await client.ask(api.CommandCloseProducer(producer_id=1, request_id=2))
    await broker.service.topics.delete(X)
    assert broker.ledger("x").deleted
    with pytest.raises(TopicNotFoundError):
        await broker.service.topic(X, create=False)


async def test_delete_by_force(broker: Broker) -> None:
    client = await broker.client()
    await client.produce("x", 1)
    await broker.service.topics.delete(X, force=True)
    assert [kind_of(r) for r in await client.turn()] == ["close_producer"]
    assert broker.ledger("x").deleted


async def test_inactive_topics_are_deleted(broker: Broker) -> None:
    client = await broker.client()
    await client.produce("used", 1)
    await broker.service.topic(X, create=True)
    broker.clock.now_ns += 59_999_000_000
    await broker.service.topics.delete_inactive()
    assert len(broker.service.topics.loaded) == 2
    broker.clock.now_ns += 2_000_000
    await broker.service.topics.delete_inactive()
    assert broker.ledger("x").deleted
    assert not broker.ledger("used").deleted
    await client.ask(api.CommandCloseProducer(producer_id=1, request_id=2))
    await broker.service.topics.delete_inactive()
    assert not broker.ledger("used").deleted


async def test_an_inactive_topic_whose_deletion_failed_is_deleted_later(broker: Broker) -> None:
    await broker.service.topic(X, create=True)
    name = "public/default/persistent/x"
    delete = broker.store.delete

    async def away(path: str, version: int = -1) -> None:
        raise UnknownOutcomeError(path, "away")

    broker.store.delete = away  # type: ignore[method-assign]
    broker.clock.now_ns += 61_000_000_000
    await broker.service.topics.delete_inactive()
    assert await broker.registry.read(name) is not None
    broker.store.delete = delete  # type: ignore[method-assign]
    for _ in range(2):
        await broker.service.topics.delete_inactive()
        broker.clock.now_ns += 61_000_000_000
    await broker.service.topics.delete_inactive()
    assert await broker.registry.read(name) is None
    assert not broker.service.topics.loaded
    opened = len(broker.opened)
    await broker.service.topics.delete_inactive()
    assert len(broker.opened) == opened


async def test_a_topic_that_went_though_no_answer_came_is_not_looked_for_again(
    broker: Broker,
) -> None:
    await broker.service.topic(X, create=True)
    delete = broker.store.delete

    async def lose_answer(path: str, version: int = -1) -> None:
        await delete(path, version)
        raise UnknownOutcomeError(path, "no answer")

    broker.store.delete = lose_answer  # type: ignore[method-assign]
    with pytest.raises(UnknownOutcomeError):
        await broker.service.topics.delete(X)
    await broker.service.topics.delete_inactive()
    assert len(broker.opened) == 1


async def test_a_bug_in_deleting_one_inactive_topic_does_not_keep_the_others(
    broker: Broker,
) -> None:
    async def fail() -> None:
        raise ZeroDivisionError("planted")

    for name in ("x", "y"):
        await broker.service.topic(TopicName.parse(name), create=True)
    broker.ledger("x").delete = fail  # type: ignore[method-assign]
    broker.clock.now_ns += 61_000_000_000
    await broker.service.topics.delete_inactive()
    assert broker.ledger("y").deleted


@pytest.mark.parametrize("error", [LedgerClosedError("lost"), ZeroDivisionError("planted")])
async def test_retention_is_checked_for_each_topic_whatever_happens_to_one(
    broker: Broker, error: Any
) -> None:
    for name in ("x", "closing", "y"):
        await broker.service.topic(TopicName.parse(name), create=True)
    broker.service.topics.loaded["persistent://public/default/closing"].closing = True
    broker.ledger("x").trim_error = error
    await broker.service.topics.trim_retained()
    assert [broker.ledger(name).trims for name in ("x", "closing", "y")] == [1, 0, 1]


async def test_retention_is_checked_periodically(start_broker: StartBroker) -> None:
    broker = await start_broker(BrokerConfig(retention_check_interval_ms=1))
    await broker.service.topic(X, create=True)
    async with asyncio.timeout(5):
        await broker.ledger("x").trimmed.wait()


async def _bug() -> None:
    await asyncio.sleep(0)
    raise ZeroDivisionError("a bug")


async def test_a_bug_that_closing_one_topic_meets_keeps_no_other_from_being_closed(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("x", "y"):
        await broker.service.topic(TopicName.parse(name), create=True)
    client = await broker.client()
    broker.ledger("x").close = _bug  # type: ignore[method-assign]
    gate = asyncio.Event()

    async def close() -> None:
        await gate.wait()
        broker.ledger("y").closed = True

    broker.ledger("y").close = close  # type: ignore[method-assign]
    stopping = asyncio.ensure_future(broker.service.stop())
    await asyncio.sleep(0.001)
    gate.set()
    await stopping
    assert broker.ledger("y").closed
    assert client.transport.closing
    assert "ZeroDivisionError: a bug" in caplog.text


async def test_a_bug_that_unloading_one_topic_meets_does_not_end_the_broker(broker: Broker) -> None:
    topic = await broker.service.topic(X, create=True)
    broker.ledger("x").close = _bug  # type: ignore[method-assign]
    broker.service.topics.unload_soon(topic)
    await asyncio.sleep(0.001)
    client = await broker.client()
    assert kind_of(await client.produce("x", 1)) == "producer_success"


async def test_stop_closes_all_and_loads_none(broker: Broker) -> None:
    client = await broker.client()
    await client.produce("x", 1)
    gate = asyncio.Event()
    broker.before_open = gate.wait  # type: ignore[assignment]
    late = asyncio.ensure_future(broker.service.topic(TopicName.parse("y"), create=True))
    for _ in range(20):
        await asyncio.sleep(0)
    stopping = asyncio.ensure_future(broker.service.stop())
    await asyncio.sleep(0)
    gate.set()
    await stopping
    await late
    assert broker.ledger("x").closed
    assert broker.ledger("y").closed
    with pytest.raises(ServiceNotReadyError):
        await broker.service.topic(X, create=True)
    assert client.transport.closing
