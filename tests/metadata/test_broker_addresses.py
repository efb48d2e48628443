"""Addresses in the JSON of Pulsar's brokers, and those of listeners."""

from magnetar_metadata.broker_addresses import (
    BrokerAddresses,
    BundleOwner,
    LeaderRecord,
    Urls,
    listeners_from_json,
)
from magnetar_metadata.topic_records import decode_json, encode_json

PLAIN = BrokerAddresses(urls=Urls(broker="pulsar://b:6650", web="http://b:8080"))
OUTSIDE = Urls(broker="pulsar://example.org:1", broker_tls="pulsar+ssl://example.org:2")
BOTH = BrokerAddresses(urls=PLAIN.urls, listeners={"outside": OUTSIDE})


def test_an_owner_without_listeners() -> None:
    assert encode_json(BundleOwner(PLAIN)) == (
        b'{"nativeUrl":"pulsar://b:6650","httpUrl":"http://b:8080","disabled":false,'
        b'"advertisedListeners":{}}'
    )


def test_a_leader_in_the_bytes_of_pulsar() -> None:
    golden = b'{"brokerId":"127.0.0.1:58769","serviceUrl":"http://127.0.0.1:58769"}'  # of 4.0.7
    leader = LeaderRecord("127.0.0.1:58769", "http://127.0.0.1:58769")
    assert encode_json(leader) == golden
    assert decode_json(LeaderRecord, golden) == leader


def test_owners_are_read_back() -> None:
    for owner in (BundleOwner(PLAIN), BundleOwner(BOTH), BundleOwner(BOTH, disabled=True)):
        assert decode_json(BundleOwner, encode_json(owner)) == owner


def test_what_older_brokers_leave_out() -> None:
    owner = decode_json(BundleOwner, b'{"nativeUrl":"pulsar://b:6650","httpUrl":null}')
    assert owner.addresses.urls == Urls(broker="pulsar://b:6650")
    assert not owner.disabled
    assert listeners_from_json(None) == {}


def test_the_addresses_of_a_listener() -> None:
    assert BOTH.of_listener("") == PLAIN.urls
    assert BOTH.of_listener("other") is None
    # It is reached over HTTP where everybody reaches it.
    assert BOTH.of_listener("outside") == Urls(
        broker=OUTSIDE.broker, broker_tls=OUTSIDE.broker_tls, web="http://b:8080"
    )
    own = Urls(broker="pulsar://c:1", web="http://c:2")
    assert BrokerAddresses(urls=PLAIN.urls, listeners={"c": own}).of_listener("c") == own


def test_a_leader() -> None:
    leader = LeaderRecord("b:8080", "http://b:8080")
    assert decode_json(LeaderRecord, encode_json(leader)) == leader
    old = decode_json(LeaderRecord, b'{"serviceUrl":"http://b:8080"}')
    assert old == leader
