import pytest
from magnetar.errors import InvalidTopicName
from magnetar.topic_name import (
    full_name,
    letter_name,
    namespace_of,
    parent_name,
    partition_index,
    partition_name,
)


@pytest.mark.parametrize(
    ("short", "full"),
    [
        ("x", "persistent://public/default/x"),
        ("a/b/x", "persistent://a/b/x"),
        ("non-persistent://a/b/x", "non-persistent://a/b/x"),
    ],
)
def test_short_names(short: str, full: str) -> None:
    assert full_name(short) == full
    assert full_name(full) == full


@pytest.mark.parametrize("name", ["", "a/b", "kafka://a/b/c", "persistent://a/b", " "])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(InvalidTopicName):
        full_name(name)


def test_partitions() -> None:
    name = partition_name("persistent://a/b/x", 12)
    assert name == "persistent://a/b/x-partition-12"
    assert partition_index(name) == 12
    assert parent_name(name) == "persistent://a/b/x"
    assert partition_index("persistent://a/b/x-partition-01") == -1
    assert parent_name("persistent://a/b/x") == "persistent://a/b/x"
    assert namespace_of(name) == "a/b"
    assert letter_name(name, "s", "DLQ") == "persistent://a/b/x-s-DLQ"
