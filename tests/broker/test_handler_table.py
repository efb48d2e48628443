"""Every command that a client may send has a handler, and no other."""

from magnetar_broker.handler_table import CONNECTED_HANDLERS, HANDSHAKE_HANDLERS
from magnetar_proto import pulsar_api_pb2 as api

_FROM_BROKERS = {
    "CONNECTED", "SEND_RECEIPT", "SEND_ERROR", "MESSAGE", "SUCCESS", "ERROR", "PRODUCER_SUCCESS",
    "PARTITIONED_METADATA_RESPONSE", "LOOKUP_RESPONSE", "CONSUMER_STATS_RESPONSE",
    "REACHED_END_OF_TOPIC", "GET_LAST_MESSAGE_ID_RESPONSE", "ACTIVE_CONSUMER_CHANGE",
    "GET_TOPICS_OF_NAMESPACE_RESPONSE", "GET_SCHEMA_RESPONSE", "AUTH_CHALLENGE", "ACK_RESPONSE",
    "GET_OR_CREATE_SCHEMA_RESPONSE", "NEW_TXN_RESPONSE", "ADD_PARTITION_TO_TXN_RESPONSE",
    "ADD_SUBSCRIPTION_TO_TXN_RESPONSE", "END_TXN_RESPONSE", "END_TXN_ON_PARTITION_RESPONSE",
    "END_TXN_ON_SUBSCRIPTION_RESPONSE", "TC_CLIENT_CONNECT_RESPONSE", "WATCH_TOPIC_LIST_SUCCESS",
    "WATCH_TOPIC_UPDATE", "TOPIC_MIGRATED",
}  # fmt: skip
_ELSEWHERE = {
    "CONNECT",  # once only
    "SEND",  # the connection itself, for speed
    "AUTH_RESPONSE",  # nothing is challenged yet
}


def test_every_command_is_handled() -> None:
    handled = {api.BaseCommand.Type.Name(kind) for kind in CONNECTED_HANDLERS}
    assert handled == set(api.BaseCommand.Type.keys()) - _FROM_BROKERS - _ELSEWHERE


def test_handshake() -> None:
    handled = {api.BaseCommand.Type.Name(kind) for kind in HANDSHAKE_HANDLERS}
    assert handled == {"CONNECT", "PING", "PONG"}
