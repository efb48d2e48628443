"""Commands that ask which topics there are, once or from now on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from magnetar_proto import pulsar_api_pb2 as api
from magnetar_runtime.slices import Slices

from magnetar_broker import answers
from magnetar_broker.errors import (
    InvalidPatternError,
    MetadataFailedError,
    NotAllowedError,
    ServiceNotReadyError,
    UnsupportedPatternError,
)
from magnetar_broker.handlers_lookup import begin_lookup
from magnetar_broker.patterns.topic_pattern import TopicPattern
from magnetar_broker.topic_list import names_hash
from magnetar_broker.topic_name import NamespaceName
from magnetar_broker.topic_watches import TopicWatch

if TYPE_CHECKING:
    from magnetar_broker.connection import Connection, Handler
    from magnetar_broker.service import BrokerService
    from magnetar_broker.topic_name import TopicName


def handle_topics_of_namespace(
    connection: Connection, request: api.CommandGetTopicsOfNamespace
) -> None:
    """GET_TOPICS_OF_NAMESPACE: the names of all topics, or of those that a pattern takes."""
    begin_lookup(
        connection,
        _list_topics(connection, request),
        lambda error: connection.send_error(request.request_id, error),
        "GET_TOPICS_OF_NAMESPACE",
    )


async def _list_topics(connection: Connection, request: api.CommandGetTopicsOfNamespace) -> None:
    namespace = NamespaceName.parse(request.namespace)
    service = connection.service
    topics: list[TopicName] = []
    if request.mode != api.CommandGetTopicsOfNamespace.NON_PERSISTENT:
        topics = await service.catalog.topics(namespace)
    if request.mode != api.CommandGetTopicsOfNamespace.PERSISTENT:
        topics += service.catalog.non_persistent_topics(namespace)
    pattern = _pattern_for_list(service, request)
    if pattern is not None:
        topics = await _matching(pattern, topics, Slices(service.clock))
    names = [str(name) for name in topics]
    topics_hash = names_hash(names)
    changed = topics_hash != request.topics_hash
    connection.send(
        answers.topics_of_namespace(
            request.request_id,
            names if changed else (),
            topics_hash,
            changed=changed,
            filtered=pattern is not None,
        )
    )


def _pattern_for_list(
    service: BrokerService, request: api.CommandGetTopicsOfNamespace
) -> TopicPattern | None:
    """None if it is left to the client, which can do more than linear matching.

    Raises:
        MetadataFailedError: it is none, said with the code that Apache Pulsar uses here.
    """
    text = request.topics_pattern
    if not text or _refusal_of_pattern(service, text):
        return None
    try:
        return TopicPattern(text)
    except UnsupportedPatternError:
        return None
    except InvalidPatternError as error:
        raise MetadataFailedError(str(error)) from error


def _refusal_of_pattern(service: BrokerService, text: str) -> str:
    config = service.config
    if not config.broker_side_patterns:
        return "enableBrokerSideSubscriptionPatternEvaluation is false"
    most = config.limits.max_topic_pattern_length
    return f"the pattern is longer than {most}" if len(text) > most else ""


async def _matching(
    pattern: TopicPattern, topics: Sequence[TopicName], slices: Slices
) -> list[TopicName]:
    matching = []
    for name in topics:
        await slices.breathe()
        if pattern.matches(name):
            matching.append(name)
    return matching


@dataclass(frozen=True, slots=True)
class _ConnectedWatcher:
    """The client of a connection, as one of its watches sees it."""

    connection: Connection
    watcher_id: int

    @property
    def writable(self) -> bool:
        return self.connection.writable

    def topics_changed(
        self, added: Sequence[str], removed: Sequence[str], topics_hash: str
    ) -> None:
        update = answers.topic_watch_update(self.watcher_id, added, removed, topics_hash)
        self.connection.send(update)


def handle_watch_topic_list(connection: Connection, request: api.CommandWatchTopicList) -> None:
    """WATCH_TOPIC_LIST: the topics that a pattern takes now, and later each change of them.

    A client that may not gets an error and polls.
    """
    begin_lookup(
        connection,
        _watch(connection, request),
        lambda error: connection.send_error(request.request_id, error),
        "WATCH_TOPIC_LIST",
    )


async def _watch(connection: Connection, request: api.CommandWatchTopicList) -> None:
    watcher_id, watches = request.watcher_id, connection.topic_watches
    service = connection.service
    _check_watch(connection, request)
    namespace = NamespaceName.parse(request.namespace)
    pattern = TopicPattern(request.topics_pattern)
    watch = TopicWatch(pattern, _ConnectedWatcher(connection, watcher_id))
    watches[watcher_id] = watch
    try:
        await service.topic_watches.begin(namespace, watch)
    except BaseException:
        if watches.get(watcher_id) is watch:
            del watches[watcher_id]
        raise
    if watches.get(watcher_id) is not watch:  # closed meanwhile, or the connection is lost
        service.topic_watches.end(watch)
        return
    topics_hash = watch.topics_hash
    names = () if topics_hash == request.topics_hash else sorted(watch.matching)
    connection.send(answers.topic_watch_begun(request.request_id, watcher_id, names, topics_hash))


def _check_watch(connection: Connection, request: api.CommandWatchTopicList) -> None:
    refusal = _refusal_of_pattern(connection.service, request.topics_pattern)
    if refusal:
        raise NotAllowedError(f"No list of topics can be watched: {refusal}; poll it")
    if request.watcher_id in connection.topic_watches:
        raise ServiceNotReadyError(f"Watcher {request.watcher_id} is on this connection already")
    most = connection.service.config.limits.max_topic_watches_per_connection
    if len(connection.topic_watches) >= most:
        raise NotAllowedError(f"The connection watches {most} lists of topics, its maximum")


def handle_watch_topic_list_close(
    connection: Connection, request: api.CommandWatchTopicListClose
) -> None:
    """WATCH_TOPIC_LIST_CLOSE: a success also if there is no such watcher, as that was wanted."""
    watch = connection.topic_watches.pop(request.watcher_id, None)
    if watch is not None:
        connection.service.topic_watches.end(watch)
    connection.send(answers.success(request.request_id))


def end_topic_watches(connection: Connection) -> None:
    """The connection is lost."""
    watches = list(connection.topic_watches.values())
    connection.topic_watches.clear()
    for watch in watches:
        connection.service.topic_watches.end(watch)


TOPIC_LIST_HANDLERS: Final[Mapping[int, Handler]] = {
    api.BaseCommand.GET_TOPICS_OF_NAMESPACE: handle_topics_of_namespace,
    api.BaseCommand.WATCH_TOPIC_LIST: handle_watch_topic_list,
    api.BaseCommand.WATCH_TOPIC_LIST_CLOSE: handle_watch_topic_list_close,
}
