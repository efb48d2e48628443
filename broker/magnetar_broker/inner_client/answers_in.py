"""What a broker refuses, as the exceptions that the rest of this broker knows."""

from collections.abc import Iterator
from typing import Final

from magnetar_broker.errors import BrokerError, ErrorCode, UnknownBrokerError


def _kinds(base: type[BrokerError]) -> Iterator[type[BrokerError]]:
    for kind in base.__subclasses__():
        yield kind
        yield from _kinds(kind)


def _by_code() -> dict[int, type[BrokerError]]:
    kinds: dict[int, type[BrokerError]] = {}
    for kind in _kinds(BrokerError):
        kinds.setdefault(int(kind.code), kind)  # the general ones come before those derived
    return kinds


_BY_CODE: Final = _by_code()

RETRIED: Final = frozenset((ErrorCode.SERVICE_NOT_READY, ErrorCode.TOO_MANY_REQUESTS))
"""Codes after which a client that was attached before looks the topic up again."""


def refused(code: int, text: str) -> BrokerError:
    """The exception for an answer of the protocol."""
    return _BY_CODE.get(code, UnknownBrokerError)(text)
