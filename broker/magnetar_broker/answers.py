"""The seldom answers of the broker as bytes, one function per command.

The hot ones (receipts, messages) are templates in `magnetar_proto.replies`.
"""

from collections.abc import Sequence
from typing import Final

from magnetar_metadata.broker_addresses import Urls
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.frames import encode_command

from magnetar_broker.errors import ErrorCode

NO_REQUEST: Final = 2**64 - 1
"""The request id of what nobody asked for."""

PONG: Final = encode_command(api.CommandPong())
PING: Final = encode_command(api.CommandPing())


def success(request_id: int) -> bytes:
    return encode_command(api.CommandSuccess(request_id=request_id))


def error(request_id: int, code: ErrorCode, text: str) -> bytes:
    body = api.CommandError(request_id=request_id, error=api.ServerError.Name(code), message=text)
    return encode_command(body)


def connected(
    server_version: str, protocol_version: int, max_message_bytes: int, *, topic_watchers: bool
) -> bytes:
    """The features told are those that are built."""
    body = api.CommandConnected(
        server_version=server_version,
        protocol_version=protocol_version,
        max_message_size=max_message_bytes,
    )
    body.feature_flags.supports_topic_watchers = topic_watchers
    body.feature_flags.supports_get_partitioned_metadata_without_auto_creation = True
    return encode_command(body)


def producer_success(
    request_id: int,
    producer_name: str,
    *,
    last_sequence_id: int = -1,
    topic_epoch: int | None = None,
    ready: bool = True,
) -> bytes:
    """A producer is ready, or waits for its topic; a second answer follows then.

    Args:
        last_sequence_id: -1 without deduplication.
    """
    body = api.CommandProducerSuccess(
        request_id=request_id,
        producer_name=producer_name,
        last_sequence_id=last_sequence_id,
        schema_version=b"",
        topic_epoch=topic_epoch,
        producer_ready=ready,
    )
    return encode_command(body)


def send_error(producer_id: int, sequence_id: int, code: ErrorCode, text: str) -> bytes:
    body = api.CommandSendError(
        producer_id=producer_id,
        sequence_id=sequence_id,
        error=api.ServerError.Name(code),
        message=text,
    )
    return encode_command(body)


def close_producer(producer_id: int) -> bytes:
    body = api.CommandCloseProducer(producer_id=producer_id, request_id=NO_REQUEST)
    return encode_command(body)


def partitions(request_id: int, count: int) -> bytes:
    body = api.CommandPartitionedTopicMetadataResponse(
        request_id=request_id,
        partitions=count,
        response=api.CommandPartitionedTopicMetadataResponse.Success,
    )
    return encode_command(body)


def partitions_failed(request_id: int, code: ErrorCode, text: str) -> bytes:
    body = api.CommandPartitionedTopicMetadataResponse(
        request_id=request_id,
        response=api.CommandPartitionedTopicMetadataResponse.Failed,
        error=api.ServerError.Name(code),
        message=text,
    )
    return encode_command(body)


def lookup_connect(request_id: int, urls: Urls, *, through_service_url: bool) -> bytes:
    body = api.CommandLookupTopicResponse(
        request_id=request_id,
        brokerServiceUrl=urls.broker,
        brokerServiceUrlTls=urls.broker_tls or None,
        response=api.CommandLookupTopicResponse.Connect,
        authoritative=True,
        proxy_through_service_url=through_service_url,
    )
    return encode_command(body)


def lookup_redirect(request_id: int, urls: Urls, *, authoritative: bool) -> bytes:
    """Ask that broker.

    Args:
        authoritative: it is to take the topic itself.
    """
    body = api.CommandLookupTopicResponse(
        request_id=request_id,
        brokerServiceUrl=urls.broker,
        brokerServiceUrlTls=urls.broker_tls or None,
        response=api.CommandLookupTopicResponse.Redirect,
        authoritative=authoritative,
    )
    return encode_command(body)


def lookup_failed(request_id: int, code: ErrorCode, text: str) -> bytes:
    body = api.CommandLookupTopicResponse(
        request_id=request_id,
        response=api.CommandLookupTopicResponse.Failed,
        error=api.ServerError.Name(code),
        message=text,
    )
    return encode_command(body)


def topics_of_namespace(
    request_id: int, topics: Sequence[str], topics_hash: str, *, changed: bool, filtered: bool
) -> bytes:
    body = api.CommandGetTopicsOfNamespaceResponse(
        request_id=request_id,
        topics=topics,
        filtered=filtered,
        topics_hash=topics_hash,
        changed=changed,
    )
    return encode_command(body)


def topic_watch_begun(
    request_id: int, watcher_id: int, topics: Sequence[str], topics_hash: str
) -> bytes:
    body = api.CommandWatchTopicListSuccess(
        request_id=request_id, watcher_id=watcher_id, topic=topics, topics_hash=topics_hash
    )
    return encode_command(body)


def topic_watch_update(
    watcher_id: int, added: Sequence[str], removed: Sequence[str], topics_hash: str
) -> bytes:
    body = api.CommandWatchTopicUpdate(
        watcher_id=watcher_id,
        new_topics=added,
        deleted_topics=removed,
        topics_hash=topics_hash,
    )
    return encode_command(body)


def schema_failed(request_id: int, code: ErrorCode, text: str) -> bytes:
    body = api.CommandGetSchemaResponse(
        request_id=request_id, error_code=api.ServerError.Name(code), error_message=text
    )
    return encode_command(body)


def schema_created(request_id: int) -> bytes:
    """Without a version: it is not kept."""
    body = api.CommandGetOrCreateSchemaResponse(request_id=request_id, schema_version=b"")
    return encode_command(body)


def create_schema_failed(request_id: int, code: ErrorCode, text: str) -> bytes:
    body = api.CommandGetOrCreateSchemaResponse(
        request_id=request_id, error_code=api.ServerError.Name(code), error_message=text
    )
    return encode_command(body)
