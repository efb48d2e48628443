"""Producers that requests share."""

from dataclasses import replace

import pytest
from magnetar_broker.config import BrokerConfig
from magnetar_broker.errors import TopicNotFoundError
from magnetar_broker.http.messages.bodies import ProduceRequest
from magnetar_broker.http.messages.producing import HttpProducers
from magnetar_broker.inner_client.outgoing import Outgoing
from magnetar_broker.topic_name import TopicName
from magnetar_broker.web_config import WebConfig

from tests.broker.http.web_world import until
from tests.broker.inner_client.inner_world import NAME, Inner, inner_world

ONE = ProduceRequest([Outgoing(b"x")])


def _names(inner: Inner) -> list[str]:
    topics = inner.service.topics.loaded.values()
    return [name for topic in topics for name in topic.producers]


async def test_requests_share_a_producer_until_nobody_used_it_for_long() -> None:
    config = BrokerConfig(web=WebConfig(producer_idle_ms=0))
    async with inner_world(config) as inner:
        producers = HttpProducers(inner.service, inner.scope)
        await producers.produce(NAME, ONE)
        await producers.produce(NAME, ONE)
        assert len(_names(inner)) == 1
        await producers.produce(NAME, replace(ONE, producer_name="me"))
        assert "me" in _names(inner)
        producers.tick()
        await until(lambda: not _names(inner))
        producers.close()


async def test_there_are_no_more_than_may_be() -> None:
    config = BrokerConfig(web=WebConfig(max_producers=2))
    async with inner_world(config) as inner:
        producers = HttpProducers(inner.service, inner.scope)
        for name in "abc":
            await producers.produce(TopicName.parse(name), ONE)
        await until(lambda: len(_names(inner)) == 2)
        producers.close()


async def test_messages_of_a_request_share_entries_if_it_says_so() -> None:
    async with inner_world() as inner:
        producers = HttpProducers(inner.service, inner.scope)
        rows = [Outgoing(b"x") for _ in range(2_500)]
        rows[7] = Outgoing(b"later", deliver_at_ms=5)
        results = await producers.produce(NAME, ProduceRequest(rows, batched=True))
        places = [each["messageId"].split(":") for each in results]
        assert [place[3:] for place in places[:9]] == [[str(n)] for n in range(7)] + [[], ["0"]]
        assert len({place[1] for place in places}) < 10
        assert inner.topic().messages_in == 2_500
        alone = await producers.produce(NAME, ProduceRequest(rows[:2]))
        assert [each["messageId"].count(":") for each in alone] == [2, 2]
        producers.close()


async def test_each_message_that_is_not_stored_says_why() -> None:
    async with inner_world() as inner:
        producers = HttpProducers(inner.service, inner.scope)
        request = ProduceRequest([Outgoing(b"x"), Outgoing(bytes(6 << 20))])
        stored, refused = await producers.produce(NAME, request)
        assert (stored["errorCode"], refused["errorCode"]) == (0, 1)
        assert "limit" in refused["errorMsg"]
        assert await producers.produce(NAME, ProduceRequest([])) == []
        with pytest.raises(TopicNotFoundError):
            await producers.produce(TopicName.parse("public/absent/t"), ONE)
        await inner.service.admin.terminate(NAME)
        (refused,) = await producers.produce(NAME, ONE)
        assert "terminated" in refused["errorMsg"]
        producers.close()
