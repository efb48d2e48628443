"""Producing and consuming by plain HTTP, on a real broker."""

import asyncio
import base64
from unittest.mock import AsyncMock, patch

import pytest
from aiohttp import ClientPayloadError, ClientSession, web
from magnetar_broker.http.api import add_routes
from magnetar_runtime.clock import SystemClock
from magnetar_runtime.counters import Counters
from magnetar_runtime.http import HttpServer

from tests.broker.http.web_world import CONSUMER, TOPIC, web_world

EVENTS = {"Accept": "text/event-stream"}


async def test_what_is_produced_is_received_and_acked_and_does_not_come_again() -> None:
    async with web_world() as world:
        await world.produce("one", "two", key="k", properties={"a": "b"}, eventTime=1000)
        first, second = await world.receive()
        assert (first["payload"], second["payload"]) == ("one", "two")
        assert first["key"] == "k"
        assert first["properties"] == {"a": "b"}
        assert first["eventTime"] == "1970-01-01T00:00:01Z"
        ids = [first["messageId"], second["messageId"]]
        assert await world.ask("POST", f"{CONSUMER}/acks", ids) == (200, {"acknowledged": 2})
        await world.ask("PUT", CONSUMER)
        assert await world.receive(waitMillis=0) == []


async def test_messages_that_share_an_entry_are_acked_one_by_one() -> None:
    async with web_world() as world:
        body = {"messages": [{"payload": str(number)} for number in range(3)]}
        _, found = await world.ask("POST", f"{TOPIC}?batchingEnabled=true", body)
        ids = [each["messageId"] for each in found["messagePublishResults"]]
        assert [each.rpartition(":")[2] for each in ids] == ["0", "1", "2"]
        messages = await world.receive()
        assert [each["payload"] for each in messages] == ["0", "1", "2"]
        await world.ask("POST", f"{CONSUMER}/acks", [messages[1]["messageId"]])
        await world.ask("PUT", CONSUMER)
        assert [each["payload"] for each in await world.receive()] == ["0", "2"]


async def test_a_consumer_that_begins_anew_gets_again_what_was_not_acked() -> None:
    async with web_world() as world:
        await world.produce("one", "two")
        first, _ = await world.receive()
        await world.ask("POST", f"{CONSUMER}/acks", [first["messageId"]])
        status, described = await world.ask("PUT", CONSUMER)
        assert (status, described["consumer"]) == (201, "me")
        assert [each["payload"] for each in await world.receive()] == ["two"]


async def test_a_negative_ack_brings_a_message_again() -> None:
    async with web_world() as world:
        await world.produce("one")
        (message,) = await world.receive()
        assert await world.receive(waitMillis=0) == []
        answer = await world.ask("POST", f"{CONSUMER}/nacks", [message["messageId"]])
        assert answer == (200, {"redelivered": 1})
        (again,) = await world.receive()
        assert again["messageId"] == message["messageId"]
        assert again["redeliveryCount"] == 1


async def test_seek_goes_back_and_to_the_end() -> None:
    async with web_world() as world:
        await world.produce("one", "two")
        one, two = await world.receive()
        await world.ask("POST", f"{CONSUMER}/acks", [one["messageId"], two["messageId"]])
        assert (await world.ask("POST", f"{CONSUMER}/seek", {"position": "earliest"}))[0] == 204
        assert [each["payload"] for each in await world.receive()] == ["one", "two"]
        place = {"messageId": two["messageId"]}
        assert (await world.ask("POST", f"{CONSUMER}/seek", place))[0] == 204
        assert [each["payload"] for each in await world.receive()] == ["two"]
        assert (await world.ask("POST", f"{CONSUMER}/seek", {"timestamp": 0}))[0] == 204
        assert len(await world.receive()) == 2
        assert (await world.ask("POST", f"{CONSUMER}/seek", {"position": "latest"}))[0] == 204
        assert await world.receive(waitMillis=50) == []


async def test_bare_bytes_go_in_and_come_out() -> None:
    async with web_world() as world:
        body = bytes(range(256))
        status, found = await world.ask("POST", f"{TOPIC}?key=k&property=a=b", body)
        assert status == 200, found
        url = f"{CONSUMER}/messages?waitMillis=2000&subscriptionInitialPosition=Earliest"
        raw = {"Accept": "application/octet-stream"}
        async with world.http.get(url, headers=raw) as answer:
            assert await answer.read() == body
            assert answer.headers["X-Key"] == '"k"'
            assert answer.headers["X-Properties"] == '{"a":"b"}'
            place = answer.headers["X-Message-Id"]
        assert await world.ask("POST", f"{CONSUMER}/acks", place.encode()) == (
            200,
            {"acknowledged": 1},
        )
        async with world.http.get(f"{CONSUMER}/messages", headers=raw) as answer:
            assert answer.status == 204


async def test_what_is_no_text_comes_in_base64_and_says_so() -> None:
    async with web_world() as world:
        await world.ask("POST", TOPIC, b"\xff\x00")
        (message,) = await world.receive()
        assert message["payloadEncoding"] == "base64"
        assert base64.b64decode(message["payload"]) == b"\xff\x00"


async def test_partitions_are_one_consumer() -> None:
    async with web_world() as world:
        admin = "/admin/v2/persistent/public/default/t/partitions"
        assert (await world.ask("PUT", admin, 3))[0] == 204
        ids = await world.produce(*map(str, range(9)))
        assert {each.rpartition(":")[2] for each in ids} == {"0", "1", "2"}
        _, found = await world.ask(
            "POST", f"{TOPIC}/partitions/1", {"messages": [{"payload": "x"}]}
        )
        assert found["messagePublishResults"][0]["messageId"].endswith(":1")
        got = []
        while len(got) < 10:
            got += await world.receive()
        answer = await world.ask("POST", f"{CONSUMER}/acks", {"messages": got})
        assert answer == (200, {"acknowledged": 10})
        await world.ask("PUT", CONSUMER)
        assert await world.receive(waitMillis=0) == []


async def test_the_end_of_a_consumer_and_of_its_subscription() -> None:
    async with web_world() as world:
        await world.receive(waitMillis=0)
        assert (await world.ask("GET", CONSUMER))[1]["subscription"] == "s"
        assert (await world.ask("DELETE", CONSUMER))[0] == 204
        assert (await world.ask("DELETE", CONSUMER))[0] == 404
        await world.receive(waitMillis=0)
        (topic,) = world.service.topics.loaded.values()
        assert "s" in topic.subscriptions
        assert (await world.ask("DELETE", f"{CONSUMER}?unsubscribe=true"))[0] == 204
        assert "s" not in topic.subscriptions


async def test_what_cannot_be_is_refused_in_words() -> None:
    async with web_world() as world:
        for method, path, body, status in (
            ("POST", TOPIC, {}, 400),
            ("POST", TOPIC, {"messages": [{"payload": 1}]}, 400),
            ("POST", "/topics/persistent/public/absent/t", {"messages": [{"payload": ""}]}, 404),
            ("GET", f"{CONSUMER}/messages?maxMessages=x", None, 400),
            ("GET", f"{CONSUMER}/messages?waitMillis=100000", None, 400),
            ("GET", f"{CONSUMER}/messages?subscriptionType=Best", None, 400),
            ("POST", f"{CONSUMER}/acks", [], 404),
            ("GET", f"{CONSUMER}/events", None, 406),
            ("PUT", f"{TOPIC}/subscriptions/pulsar.dedup/consumers/me", None, 412),
        ):
            answer = await world.ask(method, path, body)
            assert answer[0] == status, (path, answer)
            assert answer[1]["reason"]


async def test_events_are_read_from_a_place_on_and_end_with_the_topic() -> None:
    async with web_world() as world:
        await world.produce("one", "two", "three")
        async with world.http.get(f"{TOPIC}/events?messageId=earliest", headers=EVENTS) as answer:
            assert answer.content_type == "text/event-stream"
            text = b""
            while text.count(b"data:") < 3:
                text += await answer.content.readany()
        ids = [line[4:].decode() for line in text.splitlines() if line.startswith(b"id: ")]
        await world.ask("POST", "/admin/v2/persistent/public/default/t/terminate")
        headers = {**EVENTS, "Last-Event-ID": ids[0]}
        async with world.http.get(f"{TOPIC}/events", headers=headers) as answer:
            text = await answer.read()
        assert b'"payload":"one"' not in text
        assert text.index(b'"payload":"two"') < text.index(b'"payload":"three"')
        assert text.endswith(b"event: end\ndata: {}\n\n")


async def test_events_of_a_consumer_are_acked_when_they_are_written() -> None:
    async with web_world() as world:
        await world.produce("one")
        url = f"{CONSUMER}/events?autoAck=true&subscriptionInitialPosition=Earliest"
        async with world.http.get(url, headers=EVENTS) as answer:
            assert b'"payload":"one"' in await answer.content.readany()
            await world.produce("two")
            assert b'"payload":"two"' in await answer.content.readany()
        await world.ask("PUT", CONSUMER)
        assert [each["payload"] for each in await world.receive(waitMillis=50)] in ([], ["two"])


async def test_events_that_could_not_be_written_come_again_without_an_ack_time_out() -> None:
    async with web_world() as world:
        await world.produce("one")
        url = f"{CONSUMER}/events?subscriptionInitialPosition=Earliest&ackTimeoutMillis=0"
        with patch.object(web.StreamResponse, "write", AsyncMock(side_effect=ConnectionError)):
            async with world.http.get(url, headers=EVENTS) as answer:
                with pytest.raises(ClientPayloadError):
                    await answer.read()
        assert [each["payload"] for each in await world.receive()] == ["one"]


async def test_events_end_when_their_consumer_begins_anew() -> None:
    async with web_world() as world:
        await world.produce("one")
        url = f"{CONSUMER}/events?subscriptionInitialPosition=Earliest"
        async with world.http.get(url, headers=EVENTS) as answer:
            assert b'"payload":"one"' in await answer.content.readany()
            await world.ask("PUT", CONSUMER)
            assert await asyncio.wait_for(answer.content.read(), 5) == b""


_BODIES = (
    b"",
    b"\xff\xfe",
    b"[" * 2000,
    b'{"messages":[{"payload":"\\ud800"}]}',
    b'{"messages":[{"payload":"x","sequenceId":9223372036854775807,"eventTime":1e400}]}',
    b'{"messages":[{"payload":"x","deliverAt":9223372036854775807}]}',
    b'{"messages":[{"payload":"x","sequenceId":9223372036854775807}]}',
    b'{"messages":[{"payload":"x","properties":{"a":null}}]}',
    b'{"messages":[{"payload":"x","deliverAfterMs":9223372036854775807}]}',
    b'{"messages":[{"payload":"x","eventTime":-1}]}',
    b'["CAEQASAAMP///////////wE="]',  # a batch of -1 messages
    b'{"messageId":"CP//////////fxD//////////38="}',
    b'["CP///////////wEQ////////////AQ=="]',
    b'{"timestamp":9223372036854775807}',
)
_LARGE = "9223372036854775807"
_QUERIES = (
    "",
    f"?priorityLevel={_LARGE}",
    f"?deliverAfterMs={_LARGE}",
    "?maxMessages=-1",
    "?messageId=%00",
    "?subscriptionType=%ff",
    "?delayMillis=9e9",
)


async def test_nothing_that_is_sent_is_answered_with_5xx() -> None:
    async with web_world() as world:
        await world.produce("x")
        await world.ask("PUT", CONSUMER)
        odd = f"{TOPIC}/subscriptions/..%2f..%2fx%00/consumers/%F0%9F%98%80"
        for base in (TOPIC, CONSUMER, odd):
            for part in ("", "/acks", "/nacks", "/seek", "/messages", "/events", "/partitions/9"):
                for method in ("GET", "POST", "PUT", "DELETE"):
                    for query in _QUERIES:
                        for body in _BODIES if method == "POST" and not query else (b"{}",):
                            answer = await world.ask(
                                method,
                                f"{base}{part}{query}",
                                body,
                                headers={"Content-Type": "application/json"},
                            )
                            assert answer[0] < 500, (method, base, part, query, body, answer)
                    await world.ask("PUT", CONSUMER)


FOREIGN = {"Origin": "https://page.example"}
REBOUND = {"Host": "rebound.example"}


@pytest.mark.parametrize("page", [FOREIGN, {"Sec-Fetch-Site": "cross-site"}, REBOUND])
@pytest.mark.parametrize(
    "path", [f"{CONSUMER}/messages", f"{CONSUMER}/events?autoAck=true", f"{TOPIC}/events"]
)
async def test_a_foreign_page_takes_no_messages_of_an_open_broker(
    page: dict[str, str], path: str
) -> None:
    """Scenario: by an EventSource any page acknowledged all that a subscription had."""
    server = HttpServer(["0.0.0.0"], 0, counters=Counters(), clock=SystemClock())
    async with web_world() as world:
        await world.produce("one")
        add_routes(server.application, world.service)
        await server.start()
        url = f"http://127.0.0.1:{server.addresses[0].rpartition(':')[2]}{path}"
        async with ClientSession() as browser, browser.get(url, headers=EVENTS | page) as answer:
            assert answer.status == 403
        await server.stop()
        assert [each["payload"] for each in await world.receive()] == ["one"]
