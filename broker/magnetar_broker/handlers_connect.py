"""The handshake and the signs of life."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from magnetar_proto import pulsar_api_pb2 as api

from magnetar_broker import answers

if TYPE_CHECKING:
    from magnetar_broker.connection import Connection, Handler

PROTOCOL_VERSION: Final = 21


def handle_connect(connection: Connection, request: api.CommandConnect) -> None:
    """CONNECT: the first reply that clients take is CONNECTED, with version and size limit.

    A URL of a broker behind a proxy is not looked at: whoever was told to come through the service
    URL names this broker by it.
    """
    connection.client_version = request.client_version
    connection.protocol_version = min(PROTOCOL_VERSION, request.protocol_version)
    service = connection.service
    service.connection_ready(connection)
    connection.send(
        answers.connected(
            service.server_version,
            connection.protocol_version,
            service.config.limits.max_message_bytes,
            topic_watchers=service.config.broker_side_patterns,
        )
    )


def handle_ping(connection: Connection, request: api.CommandPing) -> None:
    connection.send(answers.PONG)


def handle_pong(connection: Connection, request: api.CommandPong) -> None:
    """Anything that comes in counts as life; there is nothing more to a PONG."""


LIFE_HANDLERS: Final[Mapping[int, Handler]] = {
    api.BaseCommand.PING: handle_ping,
    api.BaseCommand.PONG: handle_pong,
}

CONNECT_HANDLERS: Final[Mapping[int, Handler]] = {
    api.BaseCommand.CONNECT: handle_connect,
    **LIFE_HANDLERS,
}
