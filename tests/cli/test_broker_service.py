"""A broker whose configuration is wrong says so, and ends before anything is opened."""

import pytest
from magnetar_cli.broker_service import open_broker, run_broker
from magnetar_cli.exits import WrongSettingsError
from magnetar_runtime.settings_service import BrokerServiceSettings


def settings_of(url: str) -> BrokerServiceSettings:
    return BrokerServiceSettings(cluster_name="c", metadata_store_url=url)


async def test_an_address_that_is_none() -> None:
    with pytest.raises(WrongSettingsError, match="metadataStoreUrl"):
        async with open_broker(settings_of("zk:"), lambda error: None):
            raise AssertionError("it opened")


@pytest.mark.parametrize("url", ["foo", "memory:"])
def test_the_process_ends_with_2(url: str) -> None:
    with pytest.raises(WrongSettingsError) as caught:
        run_broker(settings_of(url), 0, lambda line, facts: None)
    assert caught.value.exit_code == 2
