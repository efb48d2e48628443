"""What the query of a WebSocket says, with Pulsar's names; what cannot be read is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast

from magnetar_proto import pulsar_api_pb2 as api

from magnetar_broker.http.replies import BadRequestError
from magnetar_broker.inner_client.message_ids import MessageIdError, id_of
from magnetar_broker.inner_client.receiver import ReceiveOptions
from magnetar_broker.inner_client.routed_producer import HASHES, ROUTING_MODES
from magnetar_broker.inner_client.topic_consumer import ConsumerOptions
from magnetar_broker.inner_client.topic_producer import ProducerOptions

Query = Mapping[str, str]

MOST_IN_QUEUE: Final = 1000
_MIN_ACK_TIMEOUT_MS: Final = 1000

SUBSCRIPTION_TYPES: Final = {
    "Exclusive": api.CommandSubscribe.Exclusive,
    "Shared": api.CommandSubscribe.Shared,
    "Failover": api.CommandSubscribe.Failover,
    "Key_Shared": api.CommandSubscribe.Key_Shared,
}
COMPRESSIONS: Final = {
    "NONE": api.CompressionType.NONE,
    "LZ4": api.CompressionType.LZ4,
    "ZLIB": api.CompressionType.ZLIB,
    "ZSTD": api.CompressionType.ZSTD,
    "SNAPPY": api.CompressionType.SNAPPY,
}
_POSITIONS: Final = {"Latest": False, "Earliest": True}
_MODES: Final = {"Durable": True, "NonDurable": False}
_CRYPTO: Final = ("FAIL", "DISCARD", "CONSUME")


class ParameterError(BadRequestError):
    """A value in the query that cannot be."""


def number(query: Query, name: str, default: int, *, least: int = 0, most: int = 2**63 - 1) -> int:
    """A whole number. Raises ParameterError."""
    text = query.get(name)
    if text is None:
        return default
    try:
        value = int(text)
    except ValueError as error:
        raise ParameterError(f"{name} is '{text}', which is no number") from error
    if not least <= value <= most:
        raise ParameterError(f"{name} is {value}; it has to be from {least} to {most}")
    return value


def flag(query: Query, name: str) -> bool:
    """As Java reads a boolean: everything but `true` is false."""
    return query.get(name, "").lower() == "true"


def choice(query: Query, name: str, choices: Mapping[str, int | bool], default: str) -> int:
    """One of some words. Raises ParameterError."""
    text = query.get(name, default)
    if text not in choices:
        raise ParameterError(f"{name} is '{text}'; it has to be one of {', '.join(choices)}")
    return choices[text]


def producer_options(query: Query) -> ProducerOptions:
    """Raises ParameterError."""
    initial = query.get("initialSequenceId")
    batching = flag(query, "batchingEnabled")
    return ProducerOptions(
        name=query.get("producerName", ""),
        initial_sequence_id=None
        if initial is None
        else number(query, "initialSequenceId", 0, least=-1),
        send_timeout_ms=number(query, "sendTimeoutMillis", 30_000),
        batch_messages=number(query, "batchingMaxMessages", 1000, least=1) if batching else 1,
        batch_delay_ms=number(query, "batchingMaxPublishDelay", 1, least=0),
        compression=choice(query, "compressionType", COMPRESSIONS, "NONE"),
    )


def routing(query: Query) -> tuple[str, str]:
    """How partitions are chosen: the mode and the hash of keys. Raises ParameterError."""
    mode = query.get("messageRoutingMode", ROUTING_MODES[0])
    if mode not in ROUTING_MODES:
        raise ParameterError(f"messageRoutingMode is '{mode}', none of {', '.join(ROUTING_MODES)}")
    hashing = query.get("hashingScheme", "JavaStringHash")
    if hashing not in HASHES:
        raise ParameterError(f"hashingScheme is '{hashing}', none of {', '.join(HASHES)}")
    return mode, hashing


def consumer_options(query: Query, subscription: str) -> ConsumerOptions:
    """Raises ParameterError."""
    _check_crypto(query)
    kind = choice(query, "subscriptionType", SUBSCRIPTION_TYPES, "Exclusive")
    return ConsumerOptions(
        subscription,
        type=cast(api.CommandSubscribe.SubType, kind),
        name=query.get("consumerName", ""),
        durable=bool(choice(query, "subscriptionMode", _MODES, "Durable")),
        earliest=bool(choice(query, "subscriptionInitialPosition", _POSITIONS, "Latest")),
        priority_level=number(query, "priorityLevel", 0, most=2**31 - 1),
    )


def receive_options(query: Query, topic: str, subscription: str) -> ReceiveOptions:
    """How messages are taken. Raises ParameterError."""
    timeout_ms = number(query, "ackTimeoutMillis", 0)
    if 0 < timeout_ms < _MIN_ACK_TIMEOUT_MS:
        raise ParameterError(f"ackTimeoutMillis is less than {_MIN_ACK_TIMEOUT_MS}")
    dead_letters = ""
    if "maxRedeliverCount" in query or "deadLetterTopic" in query:
        dead_letters = query.get("deadLetterTopic") or f"{topic}-{subscription}-DLQ"
    return ReceiveOptions(
        window=queue_size(query),
        ack_timeout_ms=timeout_ms,
        nack_delay_ms=number(query, "negativeAckRedeliveryDelay", 60_000),
        max_redeliver_count=number(query, "maxRedeliverCount", 0),
        dead_letter_topic=dead_letters,
    )


def queue_size(query: Query) -> int:
    """How many messages are sent ahead. Raises ParameterError."""
    return min(max(number(query, "receiverQueueSize", MOST_IN_QUEUE), 1), MOST_IN_QUEUE)


def reader_options(query: Query, subscription: str) -> ConsumerOptions:
    """Raises ParameterError."""
    _check_crypto(query)
    text = query.get("messageId", "latest") or "latest"
    start = None
    if text not in ("earliest", "latest"):
        try:
            start = id_of(text)
        except MessageIdError as error:
            raise ParameterError(f"messageId: {error}") from error
    return ConsumerOptions(
        subscription,
        name=query.get("readerName", ""),
        durable=False,
        earliest=text == "earliest",
        start=start,
    )


def _check_crypto(query: Query) -> None:
    action = query.get("cryptoFailureAction", _CRYPTO[0])
    if action not in _CRYPTO:
        raise ParameterError(f"cryptoFailureAction is '{action}', none of {', '.join(_CRYPTO)}")
