"""The pattern of a subscription to many topics, as clients send it."""

from __future__ import annotations

from typing import Final

from magnetar_broker.errors import InvalidPatternError
from magnetar_broker.patterns.matcher import Matcher
from magnetar_broker.topic_name import NON_PERSISTENT, PERSISTENT, TopicName

_SEPARATOR: Final = "://"


class TopicPattern:
    """Matched against `tenant/namespace/local`: neither domain nor partition count."""

    def __init__(self, text: str) -> None:
        """Raises InvalidPatternError."""
        self._matcher = Matcher(without_domain(text))

    def matches(self, name: TopicName) -> bool:
        _, _, rest = str(name.parent).partition(_SEPARATOR)
        return self._matcher.matches(rest)


def without_domain(text: str) -> str:
    """A pattern without the domain of its topics; what stands before that, such as `^`, stays.

    Raises:
        InvalidPatternError: it has a domain that is none.
    """
    before, separator, rest = text.partition(_SEPARATOR)
    if not separator:
        return text
    for domain in (NON_PERSISTENT, PERSISTENT):
        if before.endswith(domain):
            return before.removesuffix(domain) + rest
    raise InvalidPatternError(
        f"The pattern '{text}' is for the domain '{before}': expected persistent or non-persistent"
    )
