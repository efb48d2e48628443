"""What a local cluster consists of: its files are read by the services without a warning."""

from itertools import count

import pytest
from magnetar_cli.cluster_plan import ClusterWish, plan_cluster, ports_needed, service_urls
from magnetar_metadata.metadata_url import parse_metadata_url
from magnetar_runtime.conf import load, read_conf
from magnetar_runtime.settings_bookie import BookieServiceSettings
from magnetar_runtime.settings_service import BrokerServiceSettings


def wish(**changes: object) -> ClusterWish:
    values: dict[str, object] = {"brokers": 2, "bookies": 3, "data_directory": "/data", **changes}
    return ClusterWish(**values)  # type: ignore[arg-type]


def test_ports_names_and_directories() -> None:
    plan = plan_cluster(wish(), count(7000))
    assert [(each.name, each.port, each.web_port) for each in plan.children] == [
        ("zookeeper", 7010, 0),
        ("bookie-0", 7004, 7005),
        ("bookie-1", 7006, 7007),
        ("bookie-2", 7008, 7009),
        ("broker-0", 7000, 7001),
        ("broker-1", 7002, 7003),
    ]
    assert ports_needed(wish()) == 11
    assert plan.metadata_url == "zk:127.0.0.1:7010"
    assert plan.bookies[1].log_path == "/data/bookie-1.log"
    assert service_urls(plan) == [
        "pulsar://127.0.0.1:7000,127.0.0.1:7002",
        "http://127.0.0.1:7001,127.0.0.1:7003",
    ]


def test_another_zookeeper() -> None:
    asked = wish(metadata_url="zk:a:1,b:2/below")
    plan = plan_cluster(asked, count(7000))
    assert (plan.zookeeper, ports_needed(asked)) == (None, 10)
    broker = read_conf(plan.brokers[0].files["broker.conf"])
    bookie = read_conf(plan.bookies[0].files["bookkeeper.conf"])
    assert broker["metadataStoreUrl"] == "zk:a:1,b:2/below"
    assert parse_metadata_url(bookie["metadataServiceUri"]).hosts == "a:1,b:2"
    assert parse_metadata_url(bookie["metadataServiceUri"]).ledgers_root == "/below/ledgers"


@pytest.mark.parametrize(("bookies", "copies"), [(1, 1), (2, 2), (5, 2)])
def test_the_files_are_read_without_a_warning(bookies: int, copies: int) -> None:
    asked = wish(
        bookies=bookies,
        broker_settings={"brokerDeduplicationEnabled": "true"},
        bookie_settings={"journalMaxSizeMB": "16"},
    )
    plan = plan_cluster(asked, count(7000))
    for each in plan.bookies:
        settings, unknown = load(BookieServiceSettings, read_conf(each.files["bookkeeper.conf"]))
        assert unknown == []
        assert (settings.bookie_port, settings.http_server_port) == (each.port, each.web_port)
        assert settings.journal_directories == f"{each.directory}/journal"
        assert settings.journal_max_mb == 16
        assert settings.listen_hosts == ("127.0.0.1",)
    for each in plan.brokers:
        broker, unknown = load(BrokerServiceSettings, read_conf(each.files["broker.conf"]))
        assert unknown == []
        assert (broker.broker_service_port, broker.web_service_port) == (each.port, each.web_port)
        assert broker.dedup_enabled
        assert broker.ensemble_size == broker.write_quorum == broker.ack_quorum == copies


def test_a_strange_directory_comes_through() -> None:
    plan = plan_cluster(wish(data_directory="/da ta\\x"), count(7000))
    values = read_conf(plan.bookies[0].files["bookkeeper.conf"])
    assert values["journalDirectories"] == "/da ta\\x/bookie-0/journal"


@pytest.mark.parametrize(
    ("settings", "most_s"), [({}, 60), ({"brokerShutdownTimeoutMs": "200000"}, 200)]
)
def test_a_broker_may_take_the_time_that_it_has_for_its_end(
    settings: dict[str, str], most_s: int
) -> None:
    plan = plan_cluster(wish(broker_settings=settings), count(7000))
    text = read_conf(plan.brokers[0].files["broker.conf"])
    read, _ = load(BrokerServiceSettings, text)
    assert read.shutdown_timeout_ms == most_s * 1000
    assert plan.brokers[0].end_timeout_s == most_s + 30
    assert plan.bookies[0].end_timeout_s == 30
