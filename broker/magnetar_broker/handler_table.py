"""Which function handles which command, in each state of a connection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from magnetar_broker.handlers_connect import CONNECT_HANDLERS, LIFE_HANDLERS
from magnetar_broker.handlers_consume import CONSUME_HANDLERS
from magnetar_broker.handlers_lookup import LOOKUP_HANDLERS
from magnetar_broker.handlers_produce import PRODUCE_HANDLERS
from magnetar_broker.handlers_refused import REFUSED_HANDLERS
from magnetar_broker.handlers_schema import SCHEMA_HANDLERS
from magnetar_broker.handlers_topic_list import TOPIC_LIST_HANDLERS

if TYPE_CHECKING:
    from magnetar_broker.connection import Handler

HANDSHAKE_HANDLERS: Final[Mapping[int, Handler]] = CONNECT_HANDLERS

CONNECTED_HANDLERS: Final[Mapping[int, Handler]] = {
    **LIFE_HANDLERS,
    **LOOKUP_HANDLERS,
    **TOPIC_LIST_HANDLERS,
    **PRODUCE_HANDLERS,
    **CONSUME_HANDLERS,
    **SCHEMA_HANDLERS,
    **REFUSED_HANDLERS,
}
