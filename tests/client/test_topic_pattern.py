import re

import pytest
from magnetar.errors import InvalidConfiguration, InvalidTopicName
from magnetar.topic_pattern import TopicPattern, full_names
from magnetar.types import RegexSubscriptionMode

Persistent = RegexSubscriptionMode.PersistentOnly


def test_names() -> None:
    assert full_names("x") == (["persistent://public/default/x"],) * 1 + (
        "persistent://public/default/x",
    )
    names, title = full_names(["x", "a/b/y", "x"])
    assert names == ["persistent://public/default/x", "persistent://a/b/y"]
    assert title == ",".join(names)
    for wrong in ([], 3, None):
        with pytest.raises(InvalidConfiguration):
            full_names(wrong)


def test_a_pattern_matches_whole_names_without_partitions() -> None:
    pattern = TopicPattern(re.compile("persistent://a/b/x-.*"), Persistent)
    assert pattern.namespace == "a/b"
    topics = [
        "persistent://a/b/x-2-partition-0",
        "persistent://a/b/x-2-partition-1",
        "persistent://a/b/x-1",
        "persistent://a/b/yx-1",
    ]
    assert pattern.matching(topics) == ["persistent://a/b/x-1", "persistent://a/b/x-2"]


def test_short_patterns() -> None:
    assert TopicPattern(".*", Persistent).namespace == "public/default"
    assert TopicPattern("a/b/.*", Persistent).namespace == "a/b"
    both = TopicPattern(re.compile("A.*", re.IGNORECASE), RegexSubscriptionMode.AllTopics)
    assert both.matching(["persistent://public/default/ab"])


def test_what_is_no_pattern() -> None:
    with pytest.raises(InvalidTopicName):
        TopicPattern("persistent://a/b/(", Persistent)
    with pytest.raises(InvalidTopicName):
        TopicPattern("a/b", Persistent)
    with pytest.raises(InvalidConfiguration):
        TopicPattern(3, Persistent)
