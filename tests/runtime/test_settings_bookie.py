"""`bookkeeper.conf` as `magnetar bookie` reads it."""

from typing import Any

import pytest
from magnetar_runtime.conf import load, read_conf
from magnetar_runtime.errors import ConfError
from magnetar_runtime.settings_bookie import BookieServiceSettings


def settings(**values: Any) -> BookieServiceSettings:
    return BookieServiceSettings(**values)


def test_keys_are_bookkeepers() -> None:
    text = """
bookiePort=4181
bookieId=one
advertisedAddress=bookie-1.example
journalDirectory=/j
ledgerDirectories=/a,/b
metadataServiceUri=zk+hierarchical://a:2181;b:2181/ledgers
zkTimeout=5000
httpServerEnabled=true
httpServerPort=8000
gcWaitTime=1000
nettyMaxFrameSizeBytes=6000000
maxBatchReadSize=1000
diskUsageThreshold=0.8
autoRecoveryDaemonEnabled=true
allowLoopback=true
"""
    found, unknown = load(BookieServiceSettings, read_conf(text))
    assert unknown == ["allowLoopback"]
    assert found.auto_recovery_daemon_enabled
    assert (found.bookie_port, found.bookie_id, found.host) == (4181, "one", "bookie-1.example")
    assert (found.journal_directory, found.ledger_directories) == ("/j", "/a,/b")
    assert (found.zk_timeout_ms, found.gc_wait_time_ms) == (5000, 1000)
    assert (found.http_server_enabled, found.http_server_port) == (True, 8000)
    assert (found.max_frame_bytes, found.max_batch_read_bytes) == (6_000_000, 1000)
    assert found.disk_full_share == 0.8
    assert found.metadata_url == "zk+hierarchical://a:2181;b:2181/ledgers"


def test_a_frame_of_pulsars_largest_message_fits_by_default() -> None:
    assert settings().max_frame_bytes >= 5 * 1024 * 1024 + 10 * 1024


def test_servers_alone_name_the_metadata() -> None:
    found = settings(zk_servers="a:2181,b:2181", zk_ledgers_root_path="/x/ledgers")
    assert found.metadata_url == "zk+null://a:2181;b:2181/x/ledgers"


@pytest.mark.parametrize(
    ("address", "hosts"),
    [
        ("", ("127.0.0.1",)),
        ("localhost", ("127.0.0.1",)),
        ("127.0.0.1", ("127.0.0.1",)),
        ("10.0.0.7", ("0.0.0.0", "::")),
    ],
)
def test_it_listens_on_loopback_unless_another_address_is_advertised(
    address: str, hosts: tuple[str, ...]
) -> None:
    assert settings(advertised_address=address).listen_hosts == hosts
    assert settings(advertised_address=address).web_hosts == hosts
    assert settings(advertised_address=address, http_server_host="::1").web_hosts == ("::1",)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("bookiePort", "70000"),
        ("zkTimeout", "0"),
        ("gcWaitTime", "0"),
        ("nettyMaxFrameSizeBytes", "10"),
        ("nettyMaxFrameSizeBytes", "2000000000"),
        ("flushInterval", "0"),
        ("bookieAuthProviderFactoryClass", "x.Y"),
        ("tlsProviderFactoryClass", "x.Y"),
    ],
)
def test_what_cannot_be_is_refused_by_name(key: str, value: str) -> None:
    with pytest.raises(ConfError, match=key):
        load(BookieServiceSettings, {key: value})
