"""Messages as lines, with everything and with nothing."""

import base64
import json
from typing import cast

import pytest
from magnetar import Message, MessageId
from magnetar_cli.message_lines import facts_of, line_of


class Fake:
    """What a line needs of a message."""

    def __init__(self, content: bytes, key: str | None = None, **properties: str) -> None:
        self._content, self._key, self._properties = content, key, properties

    def data(self) -> bytes:
        return self._content

    def message_id(self) -> MessageId:
        return MessageId(-1, 3, 4, -1)

    def has_partition_key(self) -> bool:
        return self._key is not None

    def partition_key(self) -> str:
        return self._key or ""

    def properties(self) -> dict[str, str]:
        return self._properties

    def redelivery_count(self) -> int:
        return 2 if self._key else 0

    def event_timestamp(self) -> int:
        return 5 if self._key else 0

    def publish_timestamp(self) -> int:
        return 6

    def topic_name(self) -> str:
        return "t"

    def producer_name(self) -> str:
        return "p"


BARE = cast("Message", Fake(b"\xff"))
FULL = cast("Message", Fake("ü".encode(), "k", b="2", a="1"))


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (BARE, b"[(3,4,-1,-1)] \xff"),
        (FULL, "[(3,4,-1,-1) key=k a=1 b=2 redelivered=2] ü".encode()),
    ],
)
def test_lines_for_people(message: Message, line: bytes) -> None:
    assert line_of(message, "line") == line


def test_content_alone_is_as_it_is() -> None:
    assert line_of(BARE, "content") == b"\xff"


def test_json_tells_all() -> None:
    facts = json.loads(line_of(FULL, "json"))
    assert facts == facts_of(FULL)
    assert facts["content"] == "ü"
    assert (facts["key"], facts["event_time_ms"], facts["redelivery_count"]) == ("k", 5, 2)
    assert MessageId.deserialize(base64.b64decode(facts["id_base64"])) == MessageId(-1, 3, 4, -1)


def test_content_that_is_no_text_is_base64() -> None:
    facts = facts_of(BARE)
    assert "content" not in facts
    assert "key" not in facts
    assert base64.b64decode(facts["content_base64"]) == b"\xff"
