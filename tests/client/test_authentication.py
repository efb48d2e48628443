from typing import Any

import pytest
from magnetar.authentication import (
    NO_AUTHENTICATION,
    AuthenticationBasic,
    AuthenticationTLS,
    AuthenticationToken,
)
from magnetar.errors import ErrorGettingAuthenticationData


async def test_a_token_or_what_gives_one() -> None:
    async def fetch() -> str:
        return "fetched"

    assert await AuthenticationToken("a").data() == b"a"
    assert await AuthenticationToken(lambda: b"b").data() == b"b"
    assert await AuthenticationToken(fetch).data() == b"fetched"
    with pytest.raises(ValueError, match="token"):
        AuthenticationToken(3)  # type: ignore[arg-type]


async def test_a_secret_that_cannot_be_had_says_so() -> None:
    def broken() -> str:
        raise OSError("no vault")

    with pytest.raises(ErrorGettingAuthenticationData, match="no vault"):
        await AuthenticationToken(broken).data()


async def test_the_others() -> None:
    assert await AuthenticationBasic("u", lambda: "p").data() == b"u:p"
    assert AuthenticationBasic("u", "p", method="own").method == "own"
    tls = AuthenticationTLS("c.pem", "k.pem")
    assert (tls.method, tls.certificate_path, tls.private_key_path) == ("tls", "c.pem", "k.pem")
    assert await NO_AUTHENTICATION.data() == b""


async def test_a_function_that_gives_no_secret_is_an_error_of_the_tree() -> None:
    nothing: Any = lambda: None  # noqa: E731
    with pytest.raises(ErrorGettingAuthenticationData, match="NoneType"):
        await AuthenticationToken(nothing).data()


async def test_over_http() -> None:
    token = await AuthenticationToken(lambda: "a.b").http_headers()
    assert token == {"Authorization": "Bearer a.b", "X-Pulsar-Auth-Method-Name": "token"}
    basic = await AuthenticationBasic("u", "p").http_headers()
    assert basic == {"Authorization": "Basic dTpw", "X-Pulsar-Auth-Method-Name": "basic"}
    assert await NO_AUTHENTICATION.http_headers() == {}
    for wrong in ("a\nb", "a b", "\u00e9", b"\xff"):
        with pytest.raises(ErrorGettingAuthenticationData, match="over HTTP"):
            await AuthenticationToken(wrong).http_headers()
