"""A broker that is alone serves all topics."""

import pytest
from magnetar_broker.errors import ServiceNotReadyError
from magnetar_broker.ownership.topic_ownership import SoleOwnership, Whereabouts
from magnetar_broker.topic_name import TopicName
from magnetar_metadata.broker_addresses import BrokerAddresses, Urls

OWN, OUT = Urls(broker="pulsar://b:1", web="http://b:2"), Urls(broker="pulsar://x:1")
NAME = TopicName.parse("x")


async def test_all_is_here() -> None:
    ownership = SoleOwnership(BrokerAddresses(urls=OWN, listeners={"out": OUT}))
    await ownership.check(NAME)
    assert ownership.serves(NAME)
    for authoritative in (False, True):
        found = await ownership.look_up(NAME, authoritative=authoritative, listener="")
        assert found == Whereabouts(urls=OWN)
    found = await ownership.look_up(NAME, authoritative=False, listener="out")
    assert found.urls == Urls(broker="pulsar://x:1", web="http://b:2")
    with pytest.raises(ServiceNotReadyError, match="the broker do not have in listener"):
        await ownership.look_up(NAME, authoritative=False, listener="in")
