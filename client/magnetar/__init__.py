"""The Python SDK of Magnetar and of Apache Pulsar: asyncio first, with a blocking twin.

    async with Client("pulsar://localhost:6650") as client:
        producer = await client.create_producer("topic")
        await producer.send(b"hello")

Names, arguments and defaults are those of the official client. `magnetar.sync` has the blocking
twin. Everything public stands in `__all__`; it is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from magnetar.authentication import (
        Authentication as Authentication,
    )
    from magnetar.authentication import (
        AuthenticationBasic as AuthenticationBasic,
    )
    from magnetar.authentication import (
        AuthenticationTLS as AuthenticationTLS,
    )
    from magnetar.authentication import (
        AuthenticationToken as AuthenticationToken,
    )
    from magnetar.client import Client as Client
    from magnetar.consumer import Consumer as Consumer
    from magnetar.errors import PulsarException as PulsarException
    from magnetar.errors import Timeout as Timeout
    from magnetar.message import Message as Message
    from magnetar.message_id import MessageId as MessageId
    from magnetar.producer import Producer as Producer
    from magnetar.reader import Reader as Reader
    from magnetar.table_view import TableView as TableView
    from magnetar.types import (
        BatchingType as BatchingType,
    )
    from magnetar.types import (
        CompressionType as CompressionType,
    )
    from magnetar.types import (
        ConsumerBatchReceivePolicy as ConsumerBatchReceivePolicy,
    )
    from magnetar.types import (
        ConsumerDeadLetterPolicy as ConsumerDeadLetterPolicy,
    )
    from magnetar.types import (
        ConsumerKeySharedPolicy as ConsumerKeySharedPolicy,
    )
    from magnetar.types import (
        ConsumerType as ConsumerType,
    )
    from magnetar.types import (
        InitialPosition as InitialPosition,
    )
    from magnetar.types import (
        KeySharedMode as KeySharedMode,
    )
    from magnetar.types import (
        MultiplierRedeliveryBackoff as MultiplierRedeliveryBackoff,
    )
    from magnetar.types import (
        PartitionsRoutingMode as PartitionsRoutingMode,
    )
    from magnetar.types import (
        ProducerAccessMode as ProducerAccessMode,
    )
    from magnetar.types import (
        RegexSubscriptionMode as RegexSubscriptionMode,
    )

_MODULES = {
    "Authentication": "authentication",
    "AuthenticationBasic": "authentication",
    "AuthenticationTLS": "authentication",
    "AuthenticationToken": "authentication",
    "BatchingType": "types",
    "Client": "client",
    "CompressionType": "types",
    "Consumer": "consumer",
    "ConsumerBatchReceivePolicy": "types",
    "ConsumerDeadLetterPolicy": "types",
    "ConsumerKeySharedPolicy": "types",
    "ConsumerType": "types",
    "InitialPosition": "types",
    "KeySharedMode": "types",
    "Message": "message",
    "MessageId": "message_id",
    "MultiplierRedeliveryBackoff": "types",
    "PartitionsRoutingMode": "types",
    "Producer": "producer",
    "ProducerAccessMode": "types",
    "PulsarException": "errors",
    "Reader": "reader",
    "RegexSubscriptionMode": "types",
    "TableView": "table_view",
    "Timeout": "errors",
}

__all__ = list(_MODULES)


def __getattr__(name: str) -> Any:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module 'magnetar' has no attribute {name!r}")
    value = getattr(import_module(f"magnetar.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULES])
