"""Rows of publishes: which are repeats, and what is said of them."""

from types import SimpleNamespace
from typing import Any

import pytest
from magnetar_broker.deduplication import Verdict
from magnetar_broker.publish_rows import (
    NO_SEQUENCE_ID,
    REPEAT,
    STORED,
    reported_sequence_id,
    without_repeats,
)


def test_repeats_keep_their_place_and_lose_their_payload() -> None:
    verdicts = {1: Verdict.STORED, 2: Verdict.UNDECIDED, 3: Verdict.NEW}
    dedup: Any = SimpleNamespace(admit=lambda name, sequence_id, *_: verdicts[sequence_id])
    producer: Any = SimpleNamespace(name="p")
    rows = [(producer, number, NO_SEQUENCE_ID, 10, 4) for number in verdicts]
    marked, payloads, repeats = without_repeats(dedup, rows, [b"1", b"2", b"3"])
    assert [row[1] for row in marked] == [1, 2, 3]
    assert [row[3:] for row in marked] == [(REPEAT - 10, STORED), (REPEAT - 10, 4), (10, 4)]
    assert payloads == [b"3"]
    assert repeats == 2


@pytest.mark.parametrize(
    ("sequence_id", "highest", "reported"), [(7, NO_SEQUENCE_ID, 7), (7, 9, 9), (7, 3, 7)]
)
def test_an_error_names_the_last_message_of_a_batch(
    sequence_id: int, highest: int, reported: int
) -> None:
    assert reported_sequence_id(sequence_id, highest) == reported
