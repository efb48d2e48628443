"""Which requests of web pages are taken: a table of what browsers and others send."""

import pytest
from magnetar_runtime.errors import ConfError
from magnetar_runtime.http_doors import Asked, Doors, parse_origins, unsaid_origins

HERE = Doors(loopback=True)
OPEN = Doors(loopback=False, host_names=frozenset({"broker.example"}))


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("hosts", "origins", "allowed"),
    [
        (["localhost:8080"], [], True),
        (["localhost"], [], True),
        (["127.0.0.1:8080"], [], True),
        (["[::1]:8080"], [], True),
        (["[::1]"], [], True),
        (["localhost:8080"], ["http://localhost:8080"], True),
        (["localhost:8080"], ["http://localhost:3000"], False),
        (["localhost:8080"], ["null"], False),
        (["localhost:8080"], ["http://localhost:8080", "http://evil.example"], False),
        (["localhost.evil.example"], [], False),
        (["evil.example:8080"], ["http://evil.example:8080"], False),
        (["[::2]:8080"], [], False),
        ([], [], False),
        (["localhost", "evil.example"], [], False),
    ],
)
def test_a_server_on_loopback(
    method: str, hosts: list[str], origins: list[str], allowed: bool
) -> None:
    assert (HERE.refusal(Asked(method, hosts, origins)) is None) is allowed


@pytest.mark.parametrize(
    ("asked", "allowed"),
    [
        (Asked("POST", ["any.example"]), True),
        (Asked("GET", ["any.example"], ["http://page.example"]), True),
        (Asked("GET", ["any.example"], ["http://page.example"], upgrade=True), False),
        (Asked("POST", ["broker.example"], ["http://page.example"]), False),
        (Asked("POST", ["broker.example"], ["null"]), False),
        (Asked("POST", ["broker.example:8080"], ["http://broker.example:8080"]), True),
        (Asked("POST", ["Broker.Example"], ["https://Broker.Example"]), True),
        (Asked("POST", ["10.1.2.3:8080"], ["http://10.1.2.3:8080"]), True),
        (Asked("GET", ["broker.example"], ["http://broker.example"], upgrade=True), True),
        # A name that is rebound to this server: the page's own, and so its origin.
        (Asked("POST", ["evil.example"], ["http://evil.example"]), False),
        (Asked("GET", ["evil.example"], ["http://evil.example"], upgrade=True), False),
        (Asked("POST", ["broker.example", "evil.example"], ["http://broker.example"]), False),
        # A GET that does more than read, such as receiving messages of a subscription.
        (Asked("GET", ["broker.example"], acts=True), True),
        (Asked("GET", ["10.1.2.3:8080"], acts=True), True),
        (Asked("GET", ["localhost:8080"], acts=True), True),
        (Asked("GET", ["broker.example"], ["http://broker.example"], acts=True), True),
        (Asked("GET", ["broker.example"], ["http://page.example"], acts=True), False),
        (Asked("GET", ["10.1.2.3"], site="cross-site", acts=True), False),
        (Asked("GET", ["evil.example"], acts=True), False),
        (Asked("GET", ["evil.example"], ["http://evil.example"], acts=True), False),
    ],
)
def test_a_server_that_is_open_to_others(asked: Asked, allowed: bool) -> None:
    assert (OPEN.refusal(asked) is None) is allowed


def test_allowed_origins() -> None:
    doors = Doors(loopback=False, origins=parse_origins("https://console.example, http://x:1/"))
    for origin in ("https://console.example", "http://x:1"):
        assert doors.refusal(Asked("POST", ["10.0.0.1"], [origin])) is None
        assert doors.refusal(Asked("POST", ["console.example"], [origin])) is None
    assert doors.refusal(Asked("POST", ["10.0.0.1"], ["http://console.example"]))
    everybody = Doors(loopback=True, origins=parse_origins("*"))
    assert everybody.refusal(Asked("POST", ["localhost"], ["http://page.example"])) is None
    assert everybody.refusal(Asked("POST", ["evil.example"], ["http://evil.example"]))


@pytest.mark.parametrize(
    ("agent", "referer", "origins"),
    [
        ("curl/8.5.0", "", []),
        ("", "http://page.example/", []),
        ("Mozilla/5.0 (X11)", "", ["null"]),
        ("Mozilla/5.0 (X11)", "nonsense", ["null"]),
        ("Mozilla/5.0 (X11)", "http://[::1", ["null"]),
        ("Mozilla/5.0 (X11)", "http://page.example:8080/a?b#c", ["http://page.example:8080"]),
    ],
)
def test_where_a_page_is_from_that_does_not_say_so(
    agent: str, referer: str, origins: list[str]
) -> None:
    assert unsaid_origins(agent, referer) == origins


@pytest.mark.parametrize("text", ["console.example", "ftp://x", "https://", "https://x/path"])
def test_what_is_no_origin(text: str) -> None:
    with pytest.raises(ConfError, match="httpAllowedOrigins"):
        parse_origins(text)


@pytest.mark.parametrize(
    ("site", "origins", "allowed"),
    [
        ("cross-site", [], False),
        ("same-site", [], False),
        ("same-origin", [], True),
        ("none", [], True),
        ("cross-site", ["https://page.example"], True),
    ],
)
def test_what_a_page_of_another_site_embeds_is_refused(
    site: str, origins: list[str], allowed: bool
) -> None:
    doors = Doors(loopback=True, origins=frozenset({"https://page.example"}))
    asked = Asked("GET", ["localhost:8080"], origins, site=site)
    assert (doors.refusal(asked) is None) is allowed
