"""What the path of a request names. All raise InvalidTopicNameError."""

from __future__ import annotations

from typing import TYPE_CHECKING

from magnetar_broker.topic_name import NamespaceName, TopicName

if TYPE_CHECKING:
    from aiohttp import web


def namespace_of(request: web.Request) -> NamespaceName:
    """The namespace of a path with `{tenant}/{namespace}`."""
    parts = request.match_info
    return NamespaceName.parse(f"{parts['tenant']}/{parts['namespace']}")


def topic_of(request: web.Request) -> TopicName:
    """The topic of a path with `{domain}/{tenant}/{namespace}/{topic}`."""
    parts = request.match_info
    return TopicName.parse(
        f"{parts['domain']}://{parts['tenant']}/{parts['namespace']}/{parts['topic']}"
    )
