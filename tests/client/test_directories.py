import ssl
from typing import Any

import pytest
from magnetar.authentication import NO_AUTHENTICATION
from magnetar.broker_directory import BrokerDirectory
from magnetar.directories import Directories
from magnetar.errors import InvalidUrl
from magnetar.web_directory import WebDirectory
from magnetar_runtime.network import SystemNetwork


def directories() -> Directories:
    pool: Any = None
    return Directories(
        pool, SystemNetwork(), NO_AUTHENTICATION, ssl.create_default_context, 100, None, 1, 10
    )


async def test_one_for_each_broker_of_its_kind() -> None:
    assert [type(each) for each in directories().of("pulsar://a,b:1")] == [BrokerDirectory] * 2
    assert [type(each) for each in directories().of("https://a,b:1")] == [WebDirectory] * 2
    with pytest.raises(InvalidUrl):
        directories().of("a:1")
