"""Names of topics as users write them, in the form in which the protocol wants them."""

import re
from typing import Final

from magnetar.errors import InvalidTopicName

PARTITION_INFIX: Final = "-partition-"
_DOMAINS: Final = ("persistent", "non-persistent")
_PARTITION: Final = re.compile(r"-partition-(0|[1-9][0-9]{0,8})$", re.ASCII)


def full_name(topic: str) -> str:
    """`domain://tenant/namespace/topic` for a full or a short name.

    Raises:
        InvalidTopicName: it is neither.
    """
    if not isinstance(topic, str):
        raise InvalidTopicName(f"a topic's name is a text, not {type(topic).__name__}")
    domain, separator, rest = topic.partition("://")
    if not separator:
        domain, rest = "persistent", topic
        if "/" not in topic:
            rest = f"public/default/{topic}"
    parts = rest.split("/")
    if domain not in _DOMAINS or len(parts) not in (3, 4) or not all(map(str.strip, parts)):
        raise InvalidTopicName(
            f"topic {topic!r}: expected topic, tenant/namespace/topic or "
            "domain://tenant/namespace/topic, where the domain is persistent or non-persistent"
        )
    return f"{domain}://{rest}"


def partition_name(topic: str, index: int) -> str:
    """The full name of one partition."""
    return f"{topic}{PARTITION_INFIX}{index}"


def partition_index(topic: str) -> int:
    """Which partition a topic is; -1 if it is none."""
    found = _PARTITION.search(topic)
    return int(found.group(1)) if found else -1


def parent_name(topic: str) -> str:
    """The topic that a partition belongs to; the topic itself if it is no partition."""
    return _PARTITION.sub("", topic)


def namespace_of(topic: str) -> str:
    """`tenant/namespace` of a full name."""
    return topic.partition("://")[2].rpartition("/")[0]


def letter_name(topic: str, subscription: str, kind: str) -> str:
    """The topic of dead letters (`DLQ`) or of retries (`RETRY`) of a subscription."""
    return f"{parent_name(topic)}-{subscription}-{kind}"
