"""Patterns of topic names."""

import pytest
from magnetar_broker.errors import InvalidPatternError
from magnetar_broker.patterns.topic_pattern import TopicPattern, without_domain
from magnetar_broker.topic_name import TopicName


@pytest.mark.parametrize(
    ("pattern", "rest"),
    [
        ("persistent://a/b/c.*", "a/b/c.*"),
        ("non-persistent://a/b/c", "a/b/c"),
        ("^persistent://a/b/c$", "^a/b/c$"),
        ("a/b/c", "a/b/c"),
    ],
)
def test_domain_does_not_count(pattern: str, rest: str) -> None:
    assert without_domain(pattern) == rest


def test_domain_that_is_none() -> None:
    with pytest.raises(InvalidPatternError):
        TopicPattern("kafka://a/b/c")


def test_partitions_match_as_their_topic_does() -> None:
    pattern = TopicPattern("persistent://public/default/t")
    assert pattern.matches(TopicName.parse("t"))
    assert pattern.matches(TopicName.parse("t-partition-3"))
    assert pattern.matches(TopicName.parse("non-persistent://public/default/t"))
    assert not pattern.matches(TopicName.parse("tt"))
