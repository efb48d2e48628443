"""What a broker refuses, as one tree of exceptions, each mapped once to a code of the protocol.

BrokerError
├── UnknownBrokerError            0  something went wrong that no client can do anything about
├── MetadataFailedError           1  metadata could not be used, or the request lacks a part
├── PersistenceFailedError        2  the topic's ledger could not store or read
├── AuthenticationFailedError     3
├── NotAuthorizedError            4
├── ConsumerBusyError             5  the subscription takes no further consumer like this one
├── ServiceNotReadyError          6  look the topic up again and retry
├── BacklogHeldError              7  the backlog is over its quota; clients wait
├── BacklogRefusedError           8  the same; clients fail
├── TopicNotFoundError           11
│   ├── NamespaceNotFoundError   11
│   └── NoSuchPartitionError     11
├── SubscriptionNotFoundError    12
├── ConsumerNotFoundError        13
├── TooManyRequestsError         14
├── TopicTerminatedError         15  the topic takes no more messages, for good
├── ProducerBusyError            16  the name of a producer is taken
│   └── InvalidSubscriptionNameError 16
├── InvalidTopicNameError        17
│   └── InvalidPatternError      17
│       └── UnsupportedPatternError 17
├── IncompatibleSchemaError      18
├── ChecksumFailedError           9  the bytes that came are not the bytes that were sent
├── ConsumerAssignFailedError    19
├── NotAllowedError              22  switched off, or not built
│   ├── AckSetTooLongError       22  an ack set of more messages than any batch has
│   ├── TopicConflictError       22  what is asked does not go with what there is
│   │   └── TopicExistsError     22
│   ├── TopicBusyError           22
│   ├── PartitionCountError      22  a topic cannot have so many partitions
│   ├── TooManyTopicsError       22
│   └── AdminError               22  an administrator asked for what cannot be done
│       ├── MalformedRequestError 22 the request lacks a part, or a part is nonsense
│       ├── AbsentError          22  there is no such thing
│       ├── UnsupportedError     22  this cannot be done to such a thing
│       ├── ConflictError        22  it does not go with what there is
│       ├── PreconditionError    22  something else must be so first
│       └── PolicyRefusedError   22  a policy that may not be set so, or is not built
└── ProducerFencedError          25  another producer has the topic for itself

ProtocolViolationError stands apart: it is never answered, it ends its connection.
"""

from enum import IntEnum
from typing import ClassVar, Final

from magnetar_ledger.errors import LedgerError, ManagedLedgerTerminatedError
from magnetar_metadata.store import MetadataError

TRANSACTIONS_OFF: Final = "Transactions are not enabled."


class ErrorCode(IntEnum):
    """The ServerError codes of the Pulsar protocol."""

    UNKNOWN = 0
    METADATA = 1
    PERSISTENCE = 2
    AUTHENTICATION = 3
    AUTHORIZATION = 4
    CONSUMER_BUSY = 5
    SERVICE_NOT_READY = 6
    PRODUCER_BLOCKED_QUOTA_EXCEEDED = 7
    PRODUCER_BLOCKED_QUOTA_EXCEEDED_EXCEPTION = 8
    CHECKSUM = 9
    TOPIC_NOT_FOUND = 11
    SUBSCRIPTION_NOT_FOUND = 12
    CONSUMER_NOT_FOUND = 13
    TOO_MANY_REQUESTS = 14
    TOPIC_TERMINATED = 15
    PRODUCER_BUSY = 16
    INVALID_TOPIC_NAME = 17
    INCOMPATIBLE_SCHEMA = 18
    CONSUMER_ASSIGN = 19
    NOT_ALLOWED = 22
    PRODUCER_FENCED = 25


class ProtocolViolationError(Exception):
    """The peer broke the protocol: its connection is closed, nothing else is touched."""


class BrokerError(Exception):
    """A request that was refused. Its text goes to the client."""

    code: ClassVar[ErrorCode] = ErrorCode.UNKNOWN


class UnknownBrokerError(BrokerError):
    """Something went wrong that no client can do anything about."""


class MetadataFailedError(BrokerError):
    """Metadata could not be read or written, or the request lacks a part."""

    code = ErrorCode.METADATA


class PersistenceFailedError(BrokerError):
    """The topic's ledger could not store or read."""

    code = ErrorCode.PERSISTENCE


class AuthenticationFailedError(BrokerError):
    """Nobody vouches for this client."""

    code = ErrorCode.AUTHENTICATION


class NotAuthorizedError(BrokerError):
    """The client's role may not do this."""

    code = ErrorCode.AUTHORIZATION


class ConsumerBusyError(BrokerError):
    """The subscription takes no further consumer like this one."""

    code = ErrorCode.CONSUMER_BUSY


class ServiceNotReadyError(BrokerError):
    """The topic is moving or loading: look it up again and retry."""

    code = ErrorCode.SERVICE_NOT_READY


class BacklogHeldError(BrokerError):
    """The topic's backlog is over its quota: its producers are held back until it is smaller."""

    code = ErrorCode.PRODUCER_BLOCKED_QUOTA_EXCEEDED


class BacklogRefusedError(BrokerError):
    """The topic's backlog is over its quota: its producers are to fail."""

    code = ErrorCode.PRODUCER_BLOCKED_QUOTA_EXCEEDED_EXCEPTION


class TopicNotFoundError(BrokerError):
    """There is no such topic, and it may not be made."""

    code = ErrorCode.TOPIC_NOT_FOUND


class NamespaceNotFoundError(TopicNotFoundError):
    """There is no such namespace."""


class NoSuchPartitionError(TopicNotFoundError):
    """The partitioned topic has fewer partitions than that."""


class SubscriptionNotFoundError(BrokerError):
    """There is no such subscription, and it may not be made."""

    code = ErrorCode.SUBSCRIPTION_NOT_FOUND


class ConsumerNotFoundError(BrokerError):
    """The connection has no such consumer."""

    code = ErrorCode.CONSUMER_NOT_FOUND


class TooManyRequestsError(BrokerError):
    """Too many requests of this kind are under way."""

    code = ErrorCode.TOO_MANY_REQUESTS


class TopicTerminatedError(BrokerError):
    """The topic takes no more messages, for good."""

    code = ErrorCode.TOPIC_TERMINATED


class ProducerBusyError(BrokerError):
    """The name of a producer is taken by one that lives."""

    code = ErrorCode.PRODUCER_BUSY


class InvalidSubscriptionNameError(ProducerBusyError):
    """An empty or reserved subscription name; Apache Pulsar answers it with this code too."""


class InvalidTopicNameError(BrokerError):
    """This is no name of a topic or namespace."""

    code = ErrorCode.INVALID_TOPIC_NAME


class InvalidPatternError(InvalidTopicNameError):
    """A pattern of topic names that is none."""


class UnsupportedPatternError(InvalidPatternError):
    """A pattern of topic names that only its client can match."""


class ChecksumFailedError(BrokerError):
    """The bytes that came are not the bytes that were sent."""

    code = ErrorCode.CHECKSUM


class IncompatibleSchemaError(BrokerError):
    """No schema for this topic."""

    code = ErrorCode.INCOMPATIBLE_SCHEMA


class ConsumerAssignFailedError(BrokerError):
    """A consumer's hash ranges do not fit with those of the others."""

    code = ErrorCode.CONSUMER_ASSIGN


class NotAllowedError(BrokerError):
    """Switched off, against the rules of the topic, or not built."""

    code = ErrorCode.NOT_ALLOWED


class AckSetTooLongError(NotAllowedError):
    """An ack set of more messages than any batch has."""


class TopicConflictError(NotAllowedError):
    """What is asked for does not go with what there is."""


class TopicExistsError(TopicConflictError):
    """A topic or namespace to make is there already."""


class PartitionCountError(NotAllowedError):
    """A topic cannot have so many partitions, or so few."""


class TooManyTopicsError(NotAllowedError):
    """The namespace has as many topics as it may."""


class TopicBusyError(NotAllowedError):
    """A topic or subscription to delete is in use."""


class AdminError(NotAllowedError):
    """An administrator asked for what cannot be done.

    Attributes:
        status: Of the answer over HTTP.
    """

    status: int = 500


class MalformedRequestError(AdminError):
    """The request lacks a part, or a part of it is nonsense."""

    status = 400


class AbsentError(AdminError):
    """There is no such cluster, tenant, namespace, subscription or message."""

    status = 404


class UnsupportedError(AdminError):
    """This cannot be done to such a thing, or is switched off."""

    status = 405


class ConflictError(AdminError):
    """It does not go with what there is."""

    status = 409


class PreconditionError(AdminError):
    """Something else must be so first."""

    status = 412


class PolicyRefusedError(AdminError):
    """A policy cannot be set to this."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class ProducerFencedError(BrokerError):
    """Another producer has the topic for itself."""

    code = ErrorCode.PRODUCER_FENCED


OUTSIDE_ERRORS = (BrokerError, LedgerError, MetadataError)
"""What a request may end with without anybody having made a mistake in this program."""


def as_broker_error(error: Exception) -> BrokerError:
    """The answer for a client to something that failed in a layer below."""
    if isinstance(error, BrokerError):
        return error
    if isinstance(error, ManagedLedgerTerminatedError):
        return TopicTerminatedError(f"The topic was terminated: {error}")
    if isinstance(error, LedgerError):
        return PersistenceFailedError(f"{type(error).__name__}: {error}; retry later")
    if isinstance(error, MetadataError):
        return MetadataFailedError(f"{type(error).__name__}: {error}; retry later")
    return UnknownBrokerError(f"{type(error).__name__}: {error}")
