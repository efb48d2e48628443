"""Topics of a subscription as users name them: one, several, or a pattern."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from magnetar_proto import pulsar_api_pb2 as api

from magnetar.errors import InvalidConfiguration, InvalidTopicName
from magnetar.topic_name import full_name, parent_name
from magnetar.types import RegexSubscriptionMode

_MODES: Final = {
    RegexSubscriptionMode.PersistentOnly: api.CommandGetTopicsOfNamespace.PERSISTENT,
    RegexSubscriptionMode.NonPersistentOnly: api.CommandGetTopicsOfNamespace.NON_PERSISTENT,
    RegexSubscriptionMode.AllTopics: api.CommandGetTopicsOfNamespace.ALL,
}


def full_names(topic: object) -> tuple[list[str], str]:
    """The full names of a topic or several, and what to call them together.

    Raises:
        InvalidConfiguration: there are none, or they are not names.
    """
    if isinstance(topic, str):
        name = full_name(topic)
        return [name], name
    if not isinstance(topic, Sequence) or not topic:
        raise InvalidConfiguration("subscribe takes a topic, a list of topics, or a pattern")
    names = list(dict.fromkeys(full_name(each) for each in topic))
    return names, ",".join(names)


class TopicPattern:
    """A regular expression that names of topics match as a whole.

    It is written like a full topic name: domain, tenant and namespace are no part of the
    expression. The domain may be left out; which domains count is said by the mode.
    """

    def __init__(self, pattern: object, mode: RegexSubscriptionMode) -> None:
        text = pattern.pattern if isinstance(pattern, re.Pattern) else pattern
        if not isinstance(text, str):
            raise InvalidConfiguration("a pattern of topics is a text or a compiled pattern")
        self.text = text
        self.mode = int(_MODES[mode])
        rest = text.partition("://")[2] if "://" in text else text
        parts = rest.split("/", 2)
        if len(parts) == 1:
            parts = ["public", "default", rest]
        if len(parts) != 3:
            raise InvalidTopicName(f"pattern {text!r}: expected persistent://tenant/namespace/.*")
        self.namespace = f"{parts[0]}/{parts[1]}"
        flags = pattern.flags & re.IGNORECASE if isinstance(pattern, re.Pattern) else 0
        try:
            self._expression = re.compile(parts[2], flags)
        except re.error as error:
            raise InvalidTopicName(f"pattern {text!r}: {error}") from error

    def matching(self, topics: Iterable[str]) -> list[str]:
        """Those topics that match, without what numbers their partitions, in order."""
        names = sorted({parent_name(topic) for topic in topics})
        return [name for name in names if self._expression.fullmatch(name.rpartition("/")[2])]
