"""Names of topics and namespaces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from magnetar_broker.errors import ErrorCode, InvalidTopicNameError
from magnetar_broker.topic_name import NamespaceName, TopicName
from magnetar_runtime.limits import MAX_NAME_CHARACTERS


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("x", "persistent://public/default/x"),
        ("t/n/x", "persistent://t/n/x"),
        ("persistent://t/n/x", "persistent://t/n/x"),
        ("non-persistent://t/n/x", "non-persistent://t/n/x"),
        ("a b%c", "persistent://public/default/a b%c"),
        ("tenant-=:._9/n/x", "persistent://tenant-=:._9/n/x"),
    ],
)
def test_full_form(text: str, full: str) -> None:
    assert str(TopicName.parse(text)) == full


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "a/b",
        ".",
        "t/n/..",
        "a/b/c/d",
        "/a/b",
        "t/n/",
        "t/n/ ",
        "other://t/n/x",
        "persistent://x",
        "persistent://t/n",
        "persistent://t/n/",
        "persistent://t/cluster/n/x",
        "persistent://t/n/x/y",
        "persistent:///n/x",
        "persistent://t//x",
        "t t/n/x",
        "tä/n/x",
        "://t/n/x",
    ],
)
def test_invalid(text: str) -> None:
    with pytest.raises(InvalidTopicNameError) as raised:
        TopicName.parse(text)
    assert raised.value.code is ErrorCode.INVALID_TOPIC_NAME
    assert text in str(raised.value)


@pytest.mark.parametrize(
    ("local", "index", "parent"),
    [
        ("x-partition-0", 0, "x"),
        ("x-partition-12", 12, "x"),
        ("x-partition-1-partition-2", 2, "x-partition-1"),
        ("x-partition-", -1, "x-partition-"),
        ("x-partition-01", -1, "x-partition-01"),
        ("x-partition-+1", -1, "x-partition-+1"),
        ("x-partition-1a", -1, "x-partition-1a"),
        ("x-partition-٣", -1, "x-partition-٣"),
        ("partition-1", -1, "partition-1"),
    ],
)
def test_partition_index(local: str, index: int, parent: str) -> None:
    name = TopicName.parse(local)
    assert name.partition_index == index
    assert name.is_partition == (index >= 0)
    assert name.parent.local_name == parent


def test_longest_names() -> None:
    prefix = "persistent://public/default/"
    longest = prefix + "x" * (MAX_NAME_CHARACTERS - len(prefix))
    assert str(TopicName.parse(longest)) == longest
    for text in (longest + "x", "x" * (MAX_NAME_CHARACTERS + 1)):
        with pytest.raises(InvalidTopicNameError, match="the most is"):
            TopicName.parse(text)
    with pytest.raises(InvalidTopicNameError, match="the most is"):
        NamespaceName.parse("public/" + "x" * MAX_NAME_CHARACTERS)


@given(st.integers(min_value=0, max_value=10**6))
def test_partition_of_parent(index: int) -> None:
    name = TopicName.parse("t/n/x")
    partition = name.partition(index)
    assert partition.partition_index == index
    assert partition.parent == name
    assert TopicName.parse(str(partition)) == partition


def is_local_name(text: str) -> bool:
    return bool(text.strip()) and "/" not in text and text not in (".", "..")


@given(st.text(min_size=1).filter(is_local_name))
def test_parse_of_text_is_identity(local: str) -> None:
    name = TopicName.parse(f"persistent://t/n/{local}")
    assert TopicName.parse(str(name)) == name
    assert name.local_name == local


def test_ledger_name_is_encoded_as_java_does() -> None:
    name = TopicName.parse("persistent://t/n/a b~*ä-._c")
    assert name.ledger_name == "t/n/persistent/a+b%7E*%C3%A4-._c"


@pytest.mark.parametrize(
    ("text", "system"),
    [
        ("public/default/__change_events", True),
        ("public/default/__change_events-partition-0", True),
        ("public/default/__transaction_buffer_snapshot", True),
        ("public/default/x-sub__transaction_pending_ack", True),
        ("pulsar/system/transaction_coordinator_assign-partition-3", True),
        ("pulsar/system/__transaction_log_1", True),
        ("public/default/transaction_coordinator_assign", False),
        ("public/default/x", False),
    ],
)
def test_system_topics(text: str, system: bool) -> None:
    assert TopicName.parse(text).is_system is system


@pytest.mark.parametrize("text", ["", "t", "t/", "/n", "t/n/x", "t t/n", "t/n ß"])
def test_invalid_namespace(text: str) -> None:
    with pytest.raises(InvalidTopicNameError):
        NamespaceName.parse(text)


def test_namespace() -> None:
    assert NamespaceName.parse("t/n") == NamespaceName("t", "n")
    assert str(TopicName.parse("t/n/x").namespace) == "t/n"
