"""How much a connection may publish before it is held, and what happens at the end of a chunk."""

from collections.abc import Hashable
from typing import Any

import pytest
from magnetar_broker.publish_buffer import PublishBuffer
from magnetar_broker.publish_window import PUBLISHES, PublishWindow
from magnetar_runtime.limits import Limits


class Link:
    """A connection that can be held back."""

    def __init__(self) -> None:
        self.holds: set[Hashable] = set()

    def hold(self, reason: Hashable) -> None:
        self.holds.add(reason)

    def release(self, reason: Hashable) -> None:
        self.holds.remove(reason)

    def held_for(self, reason: Hashable) -> bool:
        return reason in self.holds


class Topic:
    """Notes what a window asks of it."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def append_published(self) -> None:
        self.asked.append("append")

    def hold_if_full(self, connection: Link) -> None:
        self.asked.append(connection)


@pytest.fixture
def link() -> Link:
    return Link()


def window_of(messages: int, size_bytes: int) -> PublishWindow:
    limits = Limits(
        max_pending_publishes_per_connection=messages,
        max_pending_publish_bytes_per_connection=size_bytes,
    )
    return PublishWindow(limits, PublishBuffer(1 << 30))


@pytest.mark.parametrize(
    ("taken", "half"), [((11, 20), (5, 0)), ((2, 110), (0, 55))], ids=["messages", "bytes"]
)
def test_held_above_the_limit_and_let_go_at_half_of_it(
    link: Link, taken: tuple[int, int], half: tuple[int, int]
) -> None:
    window = window_of(10, 100)
    window.taken(link, *taken)  # type: ignore[arg-type]
    assert not link.holds, "only at the end of the chunk"
    window.chunk_ended(link)  # type: ignore[arg-type]
    assert link.holds == {PUBLISHES}
    window.ended(link, *half)  # type: ignore[arg-type]
    assert link.holds == {PUBLISHES}
    window.ended(link, 1, 5)  # type: ignore[arg-type]
    assert not link.holds


def test_at_the_limit_reading_goes_on(link: Link) -> None:
    window = window_of(10, 100)
    window.taken(link, 10, 100)  # type: ignore[arg-type]
    window.chunk_ended(link)  # type: ignore[arg-type]
    assert not link.holds


def test_each_topic_of_a_chunk_hears_of_its_end_once(link: Link) -> None:
    window = window_of(10, 100)
    topics = [Topic(), Topic()]
    for topic in topics:
        window.to(topic)  # type: ignore[arg-type]
    assert window.topic is topics[1]
    window.chunk_ended(link)  # type: ignore[arg-type]
    assert window.topic is None
    window.chunk_ended(link)  # type: ignore[arg-type]
    assert [topic.asked for topic in topics] == [["append", link]] * 2
