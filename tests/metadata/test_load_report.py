"""A broker's report has all that Pulsar's brokers read, and theirs is read here."""

import json

import pytest
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
    memory=Usage(900.0, 1000.0),
    bandwidth_in=Usage(1.0, 100.0),
    bandwidth_out=Usage(40.0, 100.0),
    version="1.0",
    updated_ms=5,
    started_ms=4,
)


GOLDEN = (  # of a broker of Pulsar 4.0.7 that has nothing to do
    b'{"webServiceUrl":"http://127.0.0.1:58769","pulsarServiceUrl":"pulsar://127.0.0.1:59435",'
    b'"persistentTopicsEnabled":true,"nonPersistentTopicsEnabled":true,'
    b'"cpu":{"usage":4.713458158537298E-4,"limit":200.0},'
    b'"memory":{"usage":112.49568939208984,"limit":1024.0},'
    b'"directMemory":{"usage":0.0,"limit":2048.0},"bandwidthIn":{"usage":0.0,"limit":-1000.0},'
    b'"bandwidthOut":{"usage":0.0,"limit":-1000.0},"msgThroughputIn":0.0,"msgThroughputOut":0.0,'
    b'"msgRateIn":0.0,"msgRateOut":0.0,"lastUpdate":1795717760322,"lastStats":{},"numTopics":0,'
    b'"numBundles":0,"numConsumers":0,"numProducers":0,"bundles":[],"lastBundleGains":[],'
    b'"lastBundleLosses":[],"brokerVersionString":"4.0.7","protocols":{},'
    b'"advertisedListeners":{},'
    b'"loadManagerClassName":"org.apache.pulsar.broker.loadbalance.impl.ModularLoadManagerImpl",'
    b'"startTimestamp":1795717760322,"maxResourceUsage":2.356729055463802E-6,'
    b'"loadReportType":"LocalBrokerData"}'
)


def test_the_fields_of_pulsar_in_its_order() -> None:
    report = decode_json(LoadReport, GOLDEN)
    assert report.addresses.urls.broker == "pulsar://127.0.0.1:59435"
    assert (report.version, report.cpu.limit) == ("4.0.7", 200.0)
    theirs, ours = json.loads(GOLDEN), json.loads(encode_json(report))
    assert list(ours) == list(theirs)
    assert {key for key in ours if ours[key] != theirs[key]} <= {"directMemory", "maxResourceUsage"}


def test_it_is_read_back() -> None:
    assert decode_json(LoadReport, encode_json(REPORT)) == REPORT


def test_sums() -> None:
    record = REPORT.to_json()
    names = ("numTopics", "numBundles", "numProducers", "numConsumers")
    assert [record[name] for name in names] == [3, 2, 3, 4]
    assert (record["msgRateIn"], record["msgThroughputOut"]) == (10.0, 7.0)
    assert record["maxResourceUsage"] == 0.4
    assert REPORT.rate == 15.0
    assert REPORT.broker_id == "b:8080"


def test_bundles_without_figures_count() -> None:
    report = LoadReport.from_json({"webServiceUrl": "http://b:1", "bundles": ["t/n/0x0_0x1"]})
    assert report.bundles == {"t/n/0x0_0x1": BundleLoad()}
    assert report.cpu.share == 0.0


def test_how_much_is_in_use() -> None:
    assert REPORT.max_usage == 0.4  # what a process has in memory says little of its load
    assert REPORT.to_json()["maxResourceUsage"] == 0.4
    unknown = LoadReport(addresses=ADDRESSES, bandwidth_in=Usage(50.0, -1000.0))
    assert unknown.max_usage == 0.0


def test_it_says_of_itself_what_pulsar_says() -> None:
    theirs = json.loads(GOLDEN)["maxResourceUsage"]  # in single precision
    assert decode_json(LoadReport, GOLDEN).max_usage == pytest.approx(theirs)
