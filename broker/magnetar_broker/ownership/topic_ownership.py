"""What the broker asks about who serves a topic, and the answers of one that is alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from magnetar_metadata.broker_addresses import BrokerAddresses, Urls

from magnetar_broker.errors import ServiceNotReadyError

if TYPE_CHECKING:
    from magnetar_broker.topic_name import TopicName


@dataclass(frozen=True, slots=True, kw_only=True)
class Whereabouts:
    """The answer to a lookup.

    Attributes:
        urls: Of the broker, as the asking client knows it.
        here: It is this broker.
        redirect: That broker is to be asked, else it serves the topic.
        authoritative: The one that is asked then is to take the topic itself.
    """

    urls: Urls
    here: bool = True
    redirect: bool = False
    authoritative: bool = True


class TopicOwnership(Protocol):
    """Which broker serves which topics."""

    async def check(self, name: TopicName) -> None:
        """Raise unless this broker serves the topic.

        Raises:
            ServiceNotReadyError: it does not, or not now.
            BrokerError, MetadataError: that cannot be told.
        """

    def serves(self, name: TopicName) -> bool:
        """The same, as far as it is known without waiting."""

    async def look_up(
        self, name: TopicName, *, authoritative: bool, listener: str, may_wait: bool = False
    ) -> Whereabouts:
        """Where a topic is served; a topic that nobody has is given to somebody.

        Args:
            authoritative: this broker was chosen for it and is to take it.
            listener: the name of the network that the client is in; empty for the usual one.
            may_wait: for the session of an owner that does not answer to end.

        Raises:
            ServiceNotReadyError: nobody serves it now, or there is no such listener.
            BrokerError, MetadataError: that cannot be told.
        """


class SoleOwnership:
    """Of a broker that is the only one: it serves all topics, always."""

    def __init__(self, addresses: BrokerAddresses) -> None:
        self._addresses = addresses

    async def check(self, name: TopicName) -> None:
        """All are served."""

    def serves(self, name: TopicName) -> bool:
        return True

    async def look_up(
        self, name: TopicName, *, authoritative: bool, listener: str, may_wait: bool = False
    ) -> Whereabouts:
        return Whereabouts(urls=urls_of_listener(self._addresses, listener))


def urls_of_listener(addresses: BrokerAddresses, listener: str) -> Urls:
    """Where clients of a listener connect.

    Raises:
        ServiceNotReadyError: with the text that C++ clients look for.
    """
    urls = addresses.of_listener(listener)
    if urls is None:
        raise ServiceNotReadyError(f"the broker do not have {listener} listener")
    return urls
