"""The sockets of consumers and readers."""

import base64
import json
from typing import Any

import aiohttp
import pytest
from magnetar_broker.topic_name import TopicName

from tests.broker.http.web_world import CONSUMER as WEB_CONSUMER
from tests.broker.http.web_world import until, web_world

CONSUMER = "consumer/persistent/public/default/t/s?subscriptionInitialPosition=Earliest"


async def _frame(socket: aiohttp.ClientWebSocketResponse) -> Any:
    return json.loads(await socket.receive_str(timeout=5))


async def test_slots_are_freed_by_acks_and_nacks() -> None:
    async with web_world() as world:
        await world.produce(*"abcd")
        query = "&receiverQueueSize=2&negativeAckRedeliveryDelay=0&subscriptionType=Shared"
        socket = await world.socket(CONSUMER + query)
        first, second = await _frame(socket), await _frame(socket)
        with pytest.raises(TimeoutError):
            await socket.receive(timeout=0.05)
        await socket.send_json({"messageId": first["messageId"]})
        third = await _frame(socket)
        await socket.send_json({"type": "negativeAcknowledge", "messageId": second["messageId"]})
        rest = [await _frame(socket)]
        await socket.send_json({"messageId": third["messageId"]})
        rest.append(await _frame(socket))
        assert {each["payload"] for each in rest} == {"ZA==", "Yg=="}
        await socket.close()


async def test_a_reader_keeps_no_backlog_and_leaves_nothing() -> None:
    async with web_world() as world:
        await world.produce("a")
        socket = await world.socket("reader/persistent/public/default/t?messageId=earliest")
        assert (await _frame(socket))["payload"] == "YQ=="
        (topic,) = world.service.topics.loaded.values()
        (subscription,) = topic.subscriptions.values()
        await until(lambda: subscription.cursor.backlog_entries == 0)
        await socket.close()
        await until(lambda: not topic.subscriptions)


@pytest.mark.parametrize("text", ["x", "[]", "{}", '{"messageId":"x"}', '{"type":"permit"}'])
async def test_what_is_no_command_ends_the_socket_with_a_reason(text: str) -> None:
    async with web_world() as world:
        socket = await world.socket(CONSUMER)
        await socket.send_str(text)
        message = await socket.receive(timeout=5)
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1007)
        assert message.extra
        (topic,) = world.service.topics.loaded.values()
        await until(lambda: not topic.subscriptions["s"].consumers)


async def test_topics_by_list_and_by_pattern() -> None:
    async with web_world() as world:
        await world.produce("a")
        names = "persistent://public/default/t,persistent://public/default/u"
        pattern = "persistent://public/default/[tu]"
        for query in (f"topics={names}", f"topicsPattern={pattern}"):
            socket = await world.http.ws_connect(
                f"/ws/v3/consumer/s-{len(query)}?{query}&subscriptionInitialPosition=Earliest"
            )
            assert (await _frame(socket))["payload"] == "YQ=="
            assert len(world.service.topics.loaded) == 2
            await socket.close()


async def test_a_consumer_whose_topic_is_deleted_is_told() -> None:
    async with web_world() as world:
        socket = await world.socket(f"{CONSUMER}&pullMode=true")
        await socket.send_json({"type": "unsubscribe"})
        (topic,) = world.service.topics.loaded.values()
        await until(lambda: "s" not in topic.subscriptions)
        assert not socket.closed
        await socket.close()


@pytest.mark.parametrize("start", ["earliest", "latest"])
async def test_a_reader_goes_on_where_it_was_when_its_topic_moves(start: str) -> None:
    async with web_world() as world:
        await world.ask("PUT", WEB_CONSUMER)  # keeps what was read: it could come again
        socket = await world.socket(f"reader/persistent/public/default/t?messageId={start}")
        for text in "abc":
            await world.produce(text)
            assert (await _frame(socket))["payload"] == base64.b64encode(text.encode()).decode()
            await world.service.admin.unload(TopicName.parse("t"))
        with pytest.raises(TimeoutError):
            await socket.receive(timeout=0.3)
        await socket.close()
