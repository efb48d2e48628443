"""A broker that cannot reach its cluster says so, and ends."""

import asyncio

import pytest
from magnetar_cli.broker_service import open_broker, run_broker
from magnetar_cli.exits import CommandFailedError
from magnetar_metadata.errors import StoreFileError, WrongUrlError
from magnetar_runtime.settings_service import BrokerServiceSettings


def settings_of(url: str) -> BrokerServiceSettings:
    return BrokerServiceSettings(cluster_name="c", metadata_store_url=url)


async def test_a_store_that_is_not_there() -> None:
    with pytest.raises(StoreFileError, match="no such file"):
        async with open_broker(settings_of("sqlite:/nowhere"), lambda error: None):
            raise AssertionError("it opened")


async def test_an_address_that_is_none() -> None:
    with pytest.raises(WrongUrlError):
        async with open_broker(settings_of("zk:"), lambda error: None):
            raise AssertionError("it opened")


def test_the_process_says_it_in_a_line() -> None:
    with pytest.raises(CommandFailedError, match="cannot start"):
        run_broker(settings_of("sqlite:/nowhere"), 0, lambda line, facts: None)
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()
