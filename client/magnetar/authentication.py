"""Who a client is: what it shows to the broker."""

import base64
import inspect
from collections.abc import Awaitable, Callable
from typing import Final

from magnetar.errors import ErrorGettingAuthenticationData

Secret = str | bytes | Callable[[], str | bytes | Awaitable[str | bytes]]
"""A secret, or what gives one each time that it is asked for; it may be a coroutine function."""


class Authentication:
    """Shows nothing. The base of the others.

    Attributes:
        method: the name of the method in the protocol.
        certificate_path, private_key_path: of a TLS client certificate, if the method has one.
    """

    method: str = ""
    certificate_path: str | None = None
    private_key_path: str | None = None

    async def data(self) -> bytes:
        """What proves it; asked for at each connection, and again when the broker wants it fresh.

        Raises:
            ErrorGettingAuthenticationData: it could not be obtained.
        """
        return b""

    async def http_headers(self) -> dict[str, str]:
        """What proves it where topics are looked up over HTTP; asked for with each question.

        Raises:
            ErrorGettingAuthenticationData: it could not be obtained.
        """
        return {}


class AuthenticationToken(Authentication):
    """A token, usually a JWT.

    Args:
        token: the token, or what gives one; it is asked again when the broker wants a fresh one.
    """

    method = "token"

    def __init__(self, token: Secret) -> None:
        if not isinstance(token, str | bytes) and not callable(token):
            raise ValueError("a token is a text, bytes or a function that gives one")
        self._token = token

    async def data(self) -> bytes:
        return await _value_of(self._token)

    async def http_headers(self) -> dict[str, str]:
        return _headers("Bearer", _text_of(await self.data()), self.method)


class AuthenticationBasic(Authentication):
    """A user name and a password.

    Args:
        username: who.
        password: the password, or what gives it.
        method: the name under which the broker knows this.
    """

    def __init__(
        self,
        username: str,
        password: Secret,
        method: str = "basic",
    ) -> None:
        self.method = method
        self._username = username
        self._password = password

    async def data(self) -> bytes:
        return self._username.encode() + b":" + await _value_of(self._password)

    async def http_headers(self) -> dict[str, str]:
        return _headers("Basic", base64.b64encode(await self.data()).decode(), self.method)


class AuthenticationTLS(Authentication):
    """A TLS client certificate.

    Args:
        certificate_path, private_key_path: PEM files.
    """

    method = "tls"

    def __init__(self, certificate_path: str, private_key_path: str) -> None:
        self.certificate_path = certificate_path
        self.private_key_path = private_key_path


NO_AUTHENTICATION: Final = Authentication()


def _headers(kind: str, proof: str, method: str) -> dict[str, str]:
    return {"Authorization": f"{kind} {proof}", "X-Pulsar-Auth-Method-Name": method}


def _text_of(token: bytes) -> str:
    """A token as it may stand in a header: nothing in it may begin another."""
    if not all(32 < each < 127 for each in token):
        raise ErrorGettingAuthenticationData(
            "the token has a space, a line break or a letter beyond ASCII: over HTTP it cannot"
        )
    return token.decode("ascii")


async def _value_of(secret: Secret) -> bytes:
    try:
        value = secret() if callable(secret) else secret
        if inspect.isawaitable(value):
            value = await value
    except Exception as error:
        raise ErrorGettingAuthenticationData(f"the function for the secret: {error}") from error
    if not isinstance(value, str | bytes):
        raise ErrorGettingAuthenticationData(
            f"the function for the secret gave {type(value).__name__}, not a text or bytes"
        )
    return value.encode() if isinstance(value, str) else value
