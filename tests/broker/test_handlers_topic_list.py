"""Lists of topics: asked for once, and followed."""

import asyncio
from typing import Any

import pytest
from magnetar_broker.config import BrokerConfig
from magnetar_broker.errors import ErrorCode
from magnetar_broker.topic_list import names_hash
from magnetar_broker.topic_name import TopicName
from magnetar_metadata.store import UnknownOutcomeError
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_runtime.limits import Limits

from tests.broker.client import Client, kind_of
from tests.broker.conftest import Broker, StartBroker

AT_ONCE = BrokerConfig(limits=Limits(topic_watch_delay_ms=0))


@pytest.fixture
async def broker(start_broker: StartBroker) -> Broker:
    """A broker that tells of changes without waiting for more of them."""
    return await start_broker(AT_ONCE)


def name_of(local: str) -> str:
    return f"persistent://public/default/{local}"


async def test_topics_of_a_namespace(broker: Broker) -> None:
    client = await broker.client()
    await client.produce("np1", 1)
    request = api.CommandGetTopicsOfNamespace(request_id=5, namespace="public/default")
    reply = await client.ask(request)
    assert list(reply.topics) == ["persistent://public/default/np1"]
    assert (reply.request_id, reply.topics_hash, reply.changed) == (5, "778356dd", True)
    assert not reply.filtered
    request.topics_hash = reply.topics_hash
    reply = await client.ask(request)
    assert list(reply.topics) == []
    assert not reply.changed


async def test_topics_of_a_namespace_without_any(broker: Broker) -> None:
    client = await broker.client()
    await client.produce("x", 1)
    request = api.CommandGetTopicsOfNamespace(
        request_id=5,
        namespace="public/default",
        mode=api.CommandGetTopicsOfNamespace.NON_PERSISTENT,
    )
    assert list((await client.ask(request)).topics) == []
    request = api.CommandGetTopicsOfNamespace(request_id=5, namespace="public/none")
    reply = await client.ask(request)
    assert (list(reply.topics), reply.topics_hash) == ([], "00000000")


async def test_topics_of_what_is_no_namespace(broker: Broker) -> None:
    client = await broker.client()
    request = api.CommandGetTopicsOfNamespace(request_id=5, namespace="none")
    assert (await client.ask(request)).error == ErrorCode.INVALID_TOPIC_NAME


async def test_pattern_is_matched_by_the_broker(broker: Broker) -> None:
    client = await broker.client()
    await broker.service.admin.create_partitioned(TopicName.parse("a-1"), 2)
    for index, local in enumerate(("a-22", "b-1", "xa-1"), 1):
        await client.produce(local, index)
    request = api.CommandGetTopicsOfNamespace(
        request_id=5,
        namespace="public/default",
        topics_pattern=r"persistent://public/default/a-\d",
    )
    reply = await client.ask(request)
    partitions = [name_of("a-1-partition-0"), name_of("a-1-partition-1")]
    assert list(reply.topics) == partitions
    assert (reply.filtered, reply.topics_hash) == (True, names_hash(partitions))


@pytest.mark.parametrize(
    "pattern",
    ["public/default/" + "x" * 60, "public/default/(?!a).*", "public/default/(a{50}){50}"],
)
async def test_pattern_that_is_left_to_the_client(broker: Broker, pattern: str) -> None:
    client = await broker.client()
    await client.produce("a", 1)
    request = api.CommandGetTopicsOfNamespace(
        request_id=5, namespace="public/default", topics_pattern=pattern
    )
    reply = await client.ask(request)
    assert (list(reply.topics), reply.filtered) == ([name_of("a")], False)


async def test_pattern_that_is_none(broker: Broker) -> None:
    client = await broker.client()
    request = api.CommandGetTopicsOfNamespace(
        request_id=5, namespace="public/default", topics_pattern="public/default/(a"
    )
    assert (await client.ask(request)).error == ErrorCode.METADATA


async def test_matching_may_be_switched_off(start_broker: StartBroker) -> None:
    broker = await start_broker(BrokerConfig(broker_side_patterns=False))
    client = broker.new_client()
    assert not (await client.connect()).feature_flags.supports_topic_watchers
    request = api.CommandGetTopicsOfNamespace(
        request_id=5, namespace="public/default", topics_pattern="public/default/.*"
    )
    assert not (await client.ask(request)).filtered
    assert (await client.ask(watch_request())).error == ErrorCode.NOT_ALLOWED


def watch_request(
    pattern: str = "persistent://public/default/a.*", watcher_id: int = 1, **fields: Any
) -> api.CommandWatchTopicList:
    return api.CommandWatchTopicList(
        request_id=5,
        watcher_id=watcher_id,
        namespace="public/default",
        topics_pattern=pattern,
        **fields,
    )


async def next_update(client: Client) -> api.CommandWatchTopicUpdate:
    for _ in range(200):
        await asyncio.sleep(0)
        if client.transport.written:
            break
    [update] = client.received()
    assert isinstance(update, api.CommandWatchTopicUpdate)
    return update


async def test_client_hears_of_topics_that_come_and_go(broker: Broker) -> None:
    client, other = await broker.client(), await broker.client(50_001)
    await other.produce("a1", 1)
    assert (await broker.new_client().connect()).feature_flags.supports_topic_watchers
    reply = await client.ask(watch_request())
    assert kind_of(reply) == "watch_topic_list_success"
    assert (reply.request_id, reply.watcher_id) == (5, 1)
    assert (list(reply.topic), reply.topics_hash) == ([name_of("a1")], names_hash([name_of("a1")]))
    await other.produce("b", 2)
    await other.produce("a2", 3)
    update = await next_update(client)
    assert (update.watcher_id, list(update.new_topics)) == (1, [name_of("a2")])
    assert update.topics_hash == names_hash([name_of("a1"), name_of("a2")])
    await broker.service.topics.delete(TopicName.parse("a1"), force=True)
    update = await next_update(client)
    assert (list(update.new_topics), list(update.deleted_topics)) == ([], [name_of("a1")])
    assert update.topics_hash == names_hash([name_of("a2")])


async def test_first_topic_of_a_namespace(broker: Broker) -> None:
    client, other = await broker.client(), await broker.client(50_001)
    reply = await client.ask(watch_request())
    assert (list(reply.topic), reply.topics_hash) == ([], "00000000")
    await other.produce("a1", 1)
    assert list((await next_update(client)).new_topics) == [name_of("a1")]


async def test_known_list_is_not_sent_again(broker: Broker) -> None:
    client = await broker.client()
    await client.produce("a1", 1)
    known = names_hash([name_of("a1")])
    reply = await client.ask(watch_request(topics_hash=known))
    assert (list(reply.topic), reply.topics_hash) == ([], known)


async def test_peer_that_does_not_read_is_told_later(broker: Broker) -> None:
    client, other = await broker.client(), await broker.client(50_001)
    await client.ask(watch_request())
    client.connection.pause_writing()
    await other.produce("a1", 1)
    assert await client.turn() == []
    client.connection.resume_writing()
    assert list((await next_update(client)).new_topics) == [name_of("a1")]


async def test_end_of_a_watch(broker: Broker) -> None:
    client, other = await broker.client(), await broker.client(50_001)
    await client.ask(watch_request())
    for _ in range(2):  # also if there is none
        reply = await client.ask(api.CommandWatchTopicListClose(request_id=6, watcher_id=1))
        assert (kind_of(reply), reply.request_id) == ("success", 6)
    await other.produce("a1", 1)
    assert await client.turn(100) == []


async def test_lost_connection_leaves_nothing_behind(broker: Broker) -> None:
    client, other = await broker.client(), await broker.client(50_001)
    await client.ask(watch_request())
    client.send(watch_request(watcher_id=2))
    client.transport.close()
    await client.turn()
    await other.produce("a1", 1)
    await other.turn()
    assert not client.connection.topic_watches
    assert not broker.service.topic_watches.namespaces


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (watch_request("public/default/(a"), ErrorCode.INVALID_TOPIC_NAME),
        (watch_request("public/default/(?=a)"), ErrorCode.INVALID_TOPIC_NAME),
        (watch_request("kafka://public/default/a"), ErrorCode.INVALID_TOPIC_NAME),
        (watch_request("x" * 51), ErrorCode.NOT_ALLOWED),
    ],
)
async def test_refused_watches(broker: Broker, request_: Any, error: ErrorCode) -> None:
    client = await broker.client()
    reply = await client.ask(request_)
    assert (kind_of(reply), reply.request_id, reply.error) == ("error", 5, error)
    assert not client.connection.topic_watches


async def test_watcher_id_is_used_once(broker: Broker) -> None:
    client = await broker.client()
    await client.ask(watch_request())
    assert (await client.ask(watch_request())).error == ErrorCode.SERVICE_NOT_READY


async def test_most_watches_of_a_connection(start_broker: StartBroker) -> None:
    broker = await start_broker(BrokerConfig(limits=Limits(max_topic_watches_per_connection=1)))
    client = await broker.client()
    await client.ask(watch_request())
    assert (await client.ask(watch_request(watcher_id=2))).error == ErrorCode.NOT_ALLOWED


async def test_topics_that_cannot_be_read(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(_: object) -> None:
        raise UnknownOutcomeError("/managed-ledgers")

    client = await broker.client()
    with monkeypatch.context() as patch:
        patch.setattr(broker.service.catalog, "topics", fail)
        assert (await client.ask(watch_request())).error == ErrorCode.METADATA
    assert (await client.ask(watch_request())).watcher_id == 1
