"""A broker's report has all that Pulsar's brokers read, and theirs is read here."""

from magnetar_metadata.broker_addresses import BrokerAddresses, Urls
from magnetar_metadata.load_report import BundleLoad, LoadReport, Usage
from magnetar_metadata.topic_records import decode_json, encode_json

ADDRESSES = BrokerAddresses(
    urls=Urls(broker="pulsar://b:6650", web="http://b:8080"),
    listeners={"x": Urls(broker="pulsar://x:1")},
)
BUNDLES = {
    "t/n/0x00000000_0x80000000": BundleLoad(topics=2, producers=3, rate_in=10.0, rate_out=5.0),
    "t/n/0x80000000_0xffffffff": BundleLoad(topics=1, consumers=4, throughput_out=7.0),
}
REPORT = LoadReport(
    addresses=ADDRESSES,
    bundles=BUNDLES,
    cpu=Usage(50.0, 200.0),
    version="1.0",
    updated_ms=5,
    started_ms=4,
)


def test_it_is_read_back() -> None:
    assert decode_json(LoadReport, encode_json(REPORT)) == REPORT


def test_sums() -> None:
    record = REPORT.to_json()
    names = ("numTopics", "numBundles", "numProducers", "numConsumers")
    assert [record[name] for name in names] == [3, 2, 3, 4]
    assert (record["msgRateIn"], record["msgThroughputOut"]) == (10.0, 7.0)
    assert record["maxResourceUsage"] == 0.25
    assert REPORT.rate == 15.0
    assert REPORT.broker_id == "b:8080"


def test_bundles_without_figures_count() -> None:
    report = LoadReport.from_json({"webServiceUrl": "http://b:1", "bundles": ["t/n/0x0_0x1"]})
    assert report.bundles == {"t/n/0x0_0x1": BundleLoad()}
    assert report.cpu.share == 0.0
