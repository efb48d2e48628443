"""Errors of the SDK, named as in the official client.

PulsarException
├── UnknownError, InvalidConfiguration, InvalidUrl, InvalidTopicName, InvalidMessage
├── Timeout                      also a TimeoutError
├── ConnectError, NotConnected, LookupError, ServiceUnitNotReady, TooManyLookupRequestException
├── AuthenticationError, AuthorizationError, ErrorGettingAuthenticationData
├── AlreadyClosed
│   └── ClientForked             a client that was made before a fork is used in the child
├── ProducerBusy, ProducerFenced, ProducerQueueIsFull, MessageTooBig, TopicTerminated,
│   ProducerBlockedQuotaExceededError, ProducerBlockedQuotaExceededException
├── ConsumerBusy, ConsumerNotFound, ConsumerAssignError, SubscriptionNotFound,
│   CumulativeAcknowledgementNotAllowedError
├── TopicNotFound, IncompatibleSchema, BrokerMetadataError, BrokerPersistenceError, ChecksumError,
│   UnsupportedVersionError, NotAllowedError, OperationNotSupported
└── TransactionCoordinatorNotFoundError, InvalidTxnStatusError, TransactionConflict,
    TransactionNotFound

What a broker refuses comes as the class of its code, with the broker's own words behind ours.
"""

from typing import ClassVar, Final

from magnetar_proto import pulsar_api_pb2 as api


class PulsarException(Exception):
    """Root of the tree.

    Attributes:
        retryable: asking again may help: a client does so until its time is over.
        ends_attachment: an open producer or consumer that is refused with it when it connects
            again does not try further.
    """

    retryable: ClassVar[bool] = False
    ends_attachment: ClassVar[bool] = False


class UnknownError(PulsarException):
    """The broker failed, and does not say how."""

    retryable = True


class InvalidConfiguration(PulsarException):
    """Options that do not go together, or a value that cannot be."""


class InvalidUrl(PulsarException):
    """A service URL that cannot be read."""


class InvalidTopicName(PulsarException):
    """A topic's name that cannot be."""

    ends_attachment = True


class InvalidMessage(PulsarException):
    """A message that cannot be read."""


class Timeout(PulsarException, TimeoutError):
    """No answer, message or receipt in time."""

    retryable = True


class ConnectError(PulsarException):
    """No connection, or it was lost before the answer came."""

    retryable = True


class NotConnected(PulsarException):
    """The producer or consumer is not connected just now."""

    retryable = True


class LookupError(PulsarException):
    """The broker of a topic could not be found."""

    retryable = True


class ServiceUnitNotReady(PulsarException):
    """The broker does not serve the topic yet, or not any more."""

    retryable = True


class TooManyLookupRequestException(PulsarException):
    """The broker has too many requests at once."""

    retryable = True


class AuthenticationError(PulsarException):
    """The broker does not believe who this is."""

    ends_attachment = True


class AuthorizationError(PulsarException):
    """This role may not do that."""

    ends_attachment = True


class ErrorGettingAuthenticationData(PulsarException):
    """What proves who this is could not be obtained."""


class AlreadyClosed(PulsarException):
    """The client, producer, consumer or reader was closed."""

    ends_attachment = True


class ClientForked(AlreadyClosed):
    """A client that was made before a fork is used in the child: make one there."""


class ProducerBusy(PulsarException):
    """Another producer has this name, or the topic to itself."""


class ProducerFenced(PulsarException):
    """Another producer took the topic over."""

    ends_attachment = True


class ProducerQueueIsFull(PulsarException):
    """More messages wait for their receipts than may."""


class MessageTooBig(PulsarException):
    """A message is larger than the broker takes."""


class TopicTerminated(PulsarException):
    """The topic takes no more messages."""

    ends_attachment = True


class ProducerBlockedQuotaExceededError(PulsarException):
    """The topic's backlog is full."""


class ProducerBlockedQuotaExceededException(PulsarException):
    """The topic's backlog is full, and producers are to be told by an exception."""


class ConsumerBusy(PulsarException):
    """The subscription has a consumer that shares it with nobody, or is of another type."""


class ConsumerNotFound(PulsarException):
    """The broker does not know the consumer."""

    retryable = True


class ConsumerAssignError(PulsarException):
    """The subscription cannot give this consumer messages."""

    ends_attachment = True


class SubscriptionNotFound(PulsarException):
    """There is no such subscription."""


class CumulativeAcknowledgementNotAllowedError(PulsarException):
    """Shared and key-shared subscriptions take no cumulative acknowledgements."""


class TopicNotFound(PulsarException):
    """There is no such topic, and it is not made by itself."""

    ends_attachment = True


class IncompatibleSchema(PulsarException):
    """The schema does not fit those that the topic had before."""

    ends_attachment = True


class BrokerMetadataError(PulsarException):
    """The broker's metadata store failed, or refuses."""

    retryable = True


class BrokerPersistenceError(PulsarException):
    """The broker could not store or read."""

    retryable = True


class ChecksumError(PulsarException):
    """A message was damaged on its way."""


class UnsupportedVersionError(PulsarException):
    """The broker speaks another version of the protocol."""


class NotAllowedError(PulsarException):
    """The broker does not allow this."""

    ends_attachment = True


class OperationNotSupported(PulsarException):
    """This cannot do that."""


class TransactionCoordinatorNotFoundError(PulsarException):
    """No broker coordinates the transaction."""


class InvalidTxnStatusError(PulsarException):
    """The transaction is not in a state for this."""


class TransactionConflict(PulsarException):
    """Another transaction was first."""


class TransactionNotFound(PulsarException):
    """There is no such transaction."""


_BY_CODE: Final[dict[int, type[PulsarException]]] = {
    api.UnknownError: UnknownError,
    api.MetadataError: BrokerMetadataError,
    api.PersistenceError: BrokerPersistenceError,
    api.AuthenticationError: AuthenticationError,
    api.AuthorizationError: AuthorizationError,
    api.ConsumerBusy: ConsumerBusy,
    api.ServiceNotReady: ServiceUnitNotReady,
    api.ProducerBlockedQuotaExceededError: ProducerBlockedQuotaExceededError,
    api.ProducerBlockedQuotaExceededException: ProducerBlockedQuotaExceededException,
    api.ChecksumError: ChecksumError,
    api.UnsupportedVersionError: UnsupportedVersionError,
    api.TopicNotFound: TopicNotFound,
    api.SubscriptionNotFound: SubscriptionNotFound,
    api.ConsumerNotFound: ConsumerNotFound,
    api.TooManyRequests: TooManyLookupRequestException,
    api.TopicTerminatedError: TopicTerminated,
    api.ProducerBusy: ProducerBusy,
    api.InvalidTopicName: InvalidTopicName,
    api.IncompatibleSchema: IncompatibleSchema,
    api.ConsumerAssignError: ConsumerAssignError,
    api.TransactionCoordinatorNotFound: TransactionCoordinatorNotFoundError,
    api.InvalidTxnStatus: InvalidTxnStatusError,
    api.NotAllowedError: NotAllowedError,
    api.TransactionConflict: TransactionConflict,
    api.TransactionNotFound: TransactionNotFound,
    api.ProducerFenced: ProducerFenced,
}


def error_of(code: int, what: str, message: str) -> PulsarException:
    """The exception for a broker's refusal.

    Args:
        code: `ServerError` of the protocol; one that is not known gives an `UnknownError`.
        what: what was asked for and of what, for example "producer on persistent://a/b/c".
        message: the broker's own words.
    """
    kind = _BY_CODE.get(code, UnknownError)
    return kind(f"{what}: {message or kind.__doc__}")
