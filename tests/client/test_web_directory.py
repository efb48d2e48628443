"""Lookups over HTTP: the answers of brokers, and real brokers with `http://` service URLs."""

import re
from collections.abc import Callable

import pytest
from magnetar import Client, InitialPosition
from magnetar.errors import (
    AuthenticationError,
    AuthorizationError,
    InvalidTopicName,
    LookupError,
    NotAllowedError,
    OperationNotSupported,
    PulsarException,
    ServiceUnitNotReady,
    TooManyLookupRequestException,
    TopicNotFound,
    UnknownError,
)
from magnetar.service_url import WebAddress
from magnetar.web_directory import WebDirectory, refusal
from magnetar.web_messages import Answer

from bench.servers import Server, free_port
from tests.client.test_producer_setup import put_partitions

T = "persistent://a/b/c"


class Web:
    """Answers from a list."""

    def __init__(self, *bodies: bytes) -> None:
        self.bodies = list(bodies)
        self.targets: list[str] = []

    async def get(self, address: WebAddress, target: str, what: str) -> Answer:
        self.targets.append(target)
        return Answer(200, {}, self.bodies.pop(0))


def directory(web: object, *, tls: bool = False, listener: str | None = None) -> WebDirectory:
    return WebDirectory(WebAddress("a", 1, tls), web, listener)  # type: ignore[arg-type]


async def test_what_is_asked() -> None:
    urls = b'{"brokerUrl": "pulsar://b:1", "brokerUrlTls": "pulsar+ssl://b:2"}'
    web = Web(b'{"partitions": 3}', urls, urls, b'["x"]')
    asks = directory(web, listener="in&out")
    assert await asks.partitions("persistent://a/b/c d%") == 3
    assert str((await asks.route(T)).broker) == "pulsar://b:1"
    assert str((await directory(web, tls=True).route(T)).through) == "pulsar+ssl://b:2"
    assert await asks.topics("a/b", 1) == ["x"]
    assert web.targets == [
        "/admin/v2/persistent/a/b/c%20d%25/partitions?checkAllowAutoCreation=true",
        "/lookup/v2/topic/persistent/a/b/c?listenerName=in%26out",
        "/lookup/v2/topic/persistent/a/b/c",
        "/admin/v2/namespaces/a/b/topics?mode=NON_PERSISTENT",
    ]


async def test_what_is_no_answer_of_a_broker() -> None:
    for body in (b"<html>", b"[]", b'{"partitions": "x"}', b"\xff"):
        with pytest.raises(LookupError, match="not as a broker"):
            await directory(Web(body)).partitions(T)
    with pytest.raises(LookupError, match="not as a broker"):
        await directory(Web(b"[]")).route(T)
    with pytest.raises(LookupError, match="not as a broker"):
        await directory(Web(b"{}")).topics("a/b", 0)
    with pytest.raises(LookupError, match="no address"):
        await directory(Web(b'{"brokerUrl": "pulsar://b:1"}'), tls=True).route(T)
    with pytest.raises(LookupError, match="expected pulsar"):
        await directory(Web(b'{"brokerUrl": "http://b:1"}')).route(T)
    with pytest.raises(OperationNotSupported, match="cluster"):
        await directory(Web()).route("persistent://a/b/c/d")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, NotAllowedError),
        (401, AuthenticationError),
        (403, AuthorizationError),
        (404, TopicNotFound),
        (412, InvalidTopicName),
        (429, TooManyLookupRequestException),
        (500, UnknownError),
        (503, ServiceUnitNotReady),
    ],
)
def test_refusals(status: int, kind: type[PulsarException]) -> None:
    error = refusal(Answer(status, {}, b'{"reason": "so it is"}'), "lookup")
    assert type(error) is kind
    assert str(error) == f"lookup: so it is (HTTP {status})"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (204, LookupError),
        (304, LookupError),
        (400, LookupError),
        (401, AuthenticationError),
        (403, AuthorizationError),
        (404, LookupError),
        (408, LookupError),
        (412, LookupError),
        (429, TooManyLookupRequestException),
        (502, UnknownError),
        (503, ServiceUnitNotReady),
    ],
)
def test_refusals_of_a_proxy_are_tried_again(status: int, kind: type[PulsarException]) -> None:
    for body in (b"<html>", b"[]", b"{}", b'{"reason": null}'):
        error = refusal(Answer(status, {}, body), "x")
        assert type(error) is kind
        assert str(error).startswith(f"x: {kind.__doc__}")


async def test_messages_go_through(server: Server, topic: str) -> None:
    async with Client(server.web_url) as client:
        consumer = await client.subscribe(topic, "sub")
        producer = await client.create_producer(topic)
        await producer.send(b"hello")
        assert (await consumer.receive(timeout=10)).data() == b"hello"


async def test_partitions_and_patterns(server: Server, new_topic: Callable[[], str]) -> None:
    topic = new_topic()
    put_partitions(server, topic, 3)
    async with Client(server.web_url) as client:
        assert len(await client.get_topic_partitions(topic)) == 3
        producer = await client.create_producer(topic)
        pattern = re.compile(f"{topic}.*")
        consumer = await client.subscribe(pattern, "sub", initial_position=InitialPosition.Earliest)
        for number in range(6):
            await producer.send(b"%d" % number)
        got = {(await consumer.receive(timeout=10)).data() for _ in range(6)}
    assert got == {b"%d" % number for number in range(6)}


async def test_the_next_broker_is_asked_if_one_is_down(server: Server, topic: str) -> None:
    url = f"http://127.0.0.1:{free_port()},127.0.0.1:{server.web_port}"
    async with Client(url) as client:
        for _ in range(2):
            producer = await client.create_producer(topic)
            await producer.send(b"x")
            await producer.close()


async def test_refusals_of_brokers(server: Server) -> None:
    async with Client(server.web_url, operation_timeout_seconds=3) as client:
        with pytest.raises(TopicNotFound):
            await client.create_producer("persistent://public/nowhere/x")


async def test_it_moves_to_http_and_back(server: Server, new_topic: Callable[[], str]) -> None:
    async with Client(server.service_url) as client:
        for url in (server.web_url, server.service_url):
            client.update_service_url(url)
            await (await client.create_producer(new_topic())).send(b"x")
