"""Commands of what is not built: each gets the answer by which clients go on without it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Protocol

from magnetar_proto import pulsar_api_pb2 as api

from magnetar_broker.errors import NotAllowedError

if TYPE_CHECKING:
    from magnetar_broker.connection import Connection, Handler


class Request(Protocol):
    """A command that is answered by its request id."""

    request_id: int


def handle_transaction(connection: Connection, request: Request) -> None:
    """Whatever belongs to transactions."""
    refusal = NotAllowedError("Transactions are not enabled.")
    connection.send_error(request.request_id, refusal)


_TRANSACTION_TYPES: Final = (
    api.BaseCommand.TC_CLIENT_CONNECT_REQUEST,
    api.BaseCommand.NEW_TXN,
    api.BaseCommand.ADD_PARTITION_TO_TXN,
    api.BaseCommand.ADD_SUBSCRIPTION_TO_TXN,
    api.BaseCommand.END_TXN,
    api.BaseCommand.END_TXN_ON_PARTITION,
    api.BaseCommand.END_TXN_ON_SUBSCRIPTION,
)

REFUSED_HANDLERS: Final[Mapping[int, Handler]] = dict.fromkeys(
    _TRANSACTION_TYPES, handle_transaction
)
