import re

import pytest
from magnetar.errors import InvalidUrl
from magnetar.service_url import BrokerAddress, WebAddress, parse_service_url


def test_ports_and_hosts() -> None:
    assert BrokerAddress.parse("pulsar://h") == BrokerAddress("h", 6650)
    assert BrokerAddress.parse("pulsar+ssl://h") == BrokerAddress("h", 6651, tls=True)
    v6 = BrokerAddress.parse("pulsar://[::1]:1234")
    assert (v6.host, v6.port, str(v6)) == ("::1", 1234, "pulsar://[::1]:1234")


def test_several_hosts() -> None:
    assert [str(each) for each in parse_service_url("pulsar+ssl://a:1,b")] == [
        "pulsar+ssl://a:1",
        "pulsar+ssl://b:6651",
    ]


def test_http() -> None:
    assert parse_service_url("http://a:1,b/") == [WebAddress("a", 1), WebAddress("b", 80)]
    assert parse_service_url("https://a") == [WebAddress("a", 443, tls=True)]
    assert str(WebAddress("::1", 2, tls=True)) == "https://[::1]:2"
    assert WebAddress("a", 1) != BrokerAddress("a", 1)
    with pytest.raises(InvalidUrl, match="expected pulsar"):
        BrokerAddress.parse("http://a:1")


def test_letters_beyond_ascii() -> None:
    assert str(BrokerAddress.parse("pulsar://b\u00fccher:1")) == "pulsar://xn--bcher-kva:1"
    assert parse_service_url("http://\u65e5\u672c") == [WebAddress("xn--wgv71a", 80)]
    for url in ("pulsar://\u00fc..a:1", "pulsar://\ud800", "http://[fe80::1%\u00fc]:1"):
        with pytest.raises(InvalidUrl, match="no name of a host"):
            parse_service_url(url)


@pytest.mark.parametrize(
    ("url", "instead"),
    [
        ("http://a:1,http://b:2", "http://a:1,b:2"),
        ("pulsar://a,pulsar://b", "pulsar://a,b"),
        ("pulsar+ssl://a:1, Pulsar+SSL://b:2/", "pulsar+ssl://a:1,b:2"),
        ("http://lb/path", "http://lb"),
        ("https://lb:8443/path/,b?x=y#z", "https://lb:8443,b"),
        ("pulsar://[::1]:6650/t", "pulsar://[::1]:6650"),
    ],
)
def test_what_to_write_instead(url: str, instead: str) -> None:
    with pytest.raises(InvalidUrl, match=rf"write {re.escape(instead)}$"):
        parse_service_url(url)
    parse_service_url(instead)


def test_other_addresses_have_paths() -> None:
    assert WebAddress.parse("http://a:1/lookup/v2?x=y") == WebAddress("a", 1)
    assert BrokerAddress.parse("pulsar://a:1/") == BrokerAddress("a", 1)


NONE = ["", "localhost:6650", "ftp://a", "pulsar://", "pulsar://a:b", "pulsar://[a", "http://"]


@pytest.mark.parametrize("url", NONE)
def test_what_is_none(url: str) -> None:
    with pytest.raises(InvalidUrl):
        parse_service_url(url)
