"""A configuration that names no store that can be used is told before anything is opened."""

from pathlib import Path

import pytest
from magnetar_cli.broker_stores import broker_stores, open_cluster_store
from magnetar_cli.exits import WrongSettingsError
from magnetar_metadata.errors import MetadataError
from magnetar_metadata.metadata_url import MetadataUrl, open_store
from magnetar_runtime.clock import SystemClock
from magnetar_runtime.settings_service import BrokerServiceSettings


def settings_of(url: str, bookies: str = "") -> BrokerServiceSettings:
    return BrokerServiceSettings(
        cluster_name="c", metadata_store_url=url, bookkeeper_metadata_uri=bookies
    )


@pytest.mark.parametrize(
    ("url", "bookies", "root"),
    [
        ("zk:h:1", "", "/ledgers"),
        ("zk:h:1/one", "", "/ledgers"),
        ("zk+null://h:1/other", "", "/other"),
        ("zk:h", "zk+null://h:2181/ledgers", "/ledgers"),
        ("zk:a:1,b:1", "zk+hierarchical://B:1;a:1/other/ledgers", "/other/ledgers"),
        # BookKeeper's form has the whole path, Pulsar's the root alone.
        ("zk:h:1/one", "zk+null://h:1/one/ledgers", "/ledgers"),
        ("zk:h:1/one", "zk:h:1/one", "/ledgers"),
        ("zk:[::1]", "zk+null://[::1]:2181/ledgers", "/ledgers"),
    ],
)
def test_where_the_ledgers_are(url: str, bookies: str, root: str) -> None:
    found = broker_stores(settings_of(url, bookies))
    assert (found.ledgers_root, str(found.url).split(":")[0]) == (root, "zk")


@pytest.mark.parametrize(
    "bookies",
    [
        pytest.param("zk+null://other:1/ledgers", id="other servers"),
        pytest.param("zk+null://a:1;b:1;c:1/one/ledgers", id="one server more"),
        pytest.param("zk+null://a:1;b:2/one/ledgers", id="another port"),
        pytest.param("zk+null://a:1;b:1/ledgers", id="above the root"),
        pytest.param("zk+null://a:1;b:1/onetwo/ledgers", id="beside the root"),
    ],
)
def test_bookies_elsewhere_are_not_passed_over(bookies: str) -> None:
    with pytest.raises(WrongSettingsError, match=r"bookkeeperMetadataServiceUri: .*not supported"):
        broker_stores(settings_of("zk:a:1,b:1/one", bookies))


@pytest.mark.parametrize("wrong", ["foo", "zk:", "zk+flat://h:1/ledgers", "memory:", "sqlite:/d"])
def test_what_names_no_zookeeper_is_wrong(wrong: str) -> None:
    with pytest.raises(WrongSettingsError, match=r"^metadataStoreUrl: "):
        broker_stores(settings_of(wrong))
    with pytest.raises(WrongSettingsError, match=r"^bookkeeperMetadataServiceUri: "):
        broker_stores(settings_of("zk:h:1", wrong))


def test_the_older_key_is_named_as_it_was_given() -> None:
    settings = BrokerServiceSettings(cluster_name="c", zookeeper_servers="h p:1")
    with pytest.raises(WrongSettingsError, match=r"^zookeeperServers: "):
        broker_stores(settings)


async def test_without_a_cluster_there_is_nothing_to_serve(tmp_path: Path) -> None:
    url = MetadataUrl("sqlite", directory=str(tmp_path / "m"))
    async with open_store(url, SystemClock(), make_root=True) as store:
        await store.create("/other/INSTANCEID", b"id")
    with pytest.raises(MetadataError, match=r"/ledgers/INSTANCEID: .*magnetar cluster init"):
        async with open_cluster_store(url, "/ledgers", SystemClock(), session_timeout_ms=1):
            raise AssertionError("it opened")
    async with open_cluster_store(url, "/other", SystemClock(), session_timeout_ms=1) as store:
        assert await store.children("/other") == ["INSTANCEID"]
