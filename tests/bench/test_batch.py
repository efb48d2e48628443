"""Pre-encoded frames keep valid and their ids go on over the cycles."""

import struct

import pytest
from magnetar_proto import pulsar_api_pb2 as pb

from bench.batch import FIRST_SEQUENCE_ID, LARGE_CYCLE, SendBatch


def ids_of(batch: SendBatch) -> list[int]:
    ids = []
    for start in range(0, len(batch.buffer), batch.frame_bytes):
        (command_bytes,) = struct.unpack_from(">I", batch.buffer, start + 4)
        body = bytes(batch.buffer[start + 8 : start + 8 + command_bytes])
        ids.append(pb.BaseCommand.FromString(body).send.sequence_id)
    return ids


@pytest.mark.parametrize("cycles", [1, 2, 3, 200])
def test_ids_go_on_over_cycles(cycles: int) -> None:
    batch = SendBatch(1024)
    for _ in range(cycles - 1):
        batch.advance()
    first = FIRST_SEQUENCE_ID + (cycles - 1) * LARGE_CYCLE
    assert ids_of(batch) == list(range(first, first + LARGE_CYCLE))


def test_advance_changes_nothing_else() -> None:
    batch = SendBatch(1024)
    before = bytes(batch.buffer)
    batch.advance()
    changed = [i for i, (a, b) in enumerate(zip(before, batch.buffer, strict=True)) if a != b]
    assert len(changed) == LARGE_CYCLE  # one byte of each frame
    assert {index % batch.frame_bytes for index in changed} == {changed[0]}
