"""Names, sizes, times and message ids on the command line."""

import click
import pytest
from magnetar_cli import admin_values as values


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("x", "persistent/public/default/x"),
        ("t/n/x", "persistent/t/n/x"),
        ("persistent://t/n/a b/c?", "persistent/t/n/a%20b%2Fc%3F"),
        ("non-persistent://t/n/x", "non-persistent/t/n/x"),
    ],
)
def test_topics(text: str, path: str) -> None:
    assert values.topic_path(text) == path


def test_sizes_and_times() -> None:
    assert [values.seconds_of(text) for text in ("30", "30s", "2m", "1h", "1d", "-1")] == [
        30, 30, 120, 3600, 86400, -1,
    ]  # fmt: skip
    assert [values.minutes_of(text) for text in ("30", "30s", "2h", "-1", "0")] == [
        30,
        1,
        120,
        -1,
        0,
    ]
    assert [values.mib_of(text) for text in ("30", "2G", "-1", "512M")] == [30, 2048, -1, 512]
    assert [values.bytes_of(text) for text in ("30", "1k", "-1")] == [30, 1024, -1]


def test_messages_and_properties() -> None:
    assert values.position_of("earliest") == "earliest"
    assert values.position_of("3:-1") == {"ledgerId": 3, "entryId": -1, "partitionIndex": -1}
    assert values.properties_of(("a=b", "c=d=e", "f=")) == {"a": "b", "c": "d=e", "f": ""}
    assert values.names_of("a, b,,c") == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (values.topic_path, "a/b"),
        (values.namespace_path, "a"),
        (values.namespace_path, "a/"),
        (values.seconds_of, "soon"),
        (values.minutes_of, "7x"),
        (values.mib_of, "much"),
        (values.position_of, "12"),
        (values.properties_of, ("a",)),
    ],
)
def test_nonsense(read: object, text: object) -> None:
    assert callable(read)
    with pytest.raises(click.BadParameter):
        read(text)
