"""The buffer by itself, with frames of a length in one byte; the codecs' tests do the rest."""

import pytest
from magnetar_proto.errors import FrameError
from magnetar_proto.receive_buffer import ReceiveBuffer


class Words(ReceiveBuffer[bytes]):
    """A byte of length, then so many bytes; a length of 255 is a break."""

    def _cut(self, view: memoryview, position: int, end: int, items: list[bytes]) -> int:
        while position < end and position + 1 + view[position] <= end:
            if view[position] == 255:
                raise FrameError("255")
            start = position + 1
            position = start + view[start - 1]
            items.append(bytes(view[start:position]))
        return position

    def _frame_bytes(self, view: memoryview, position: int, end: int) -> int:
        return 1 + view[position]


STREAM = b"\x03abc\x00\x01d" + bytes((200,)) + b"e" * 200 + b"\x02fg"
WORDS = [b"abc", b"", b"d", b"e" * 200, b"fg"]


@pytest.mark.parametrize("buffer_bytes", [8, 100, 16_384])
@pytest.mark.parametrize("chunk_bytes", [1, 3, 50, 1000])
def test_words_in_any_chunks(buffer_bytes: int, chunk_bytes: int) -> None:
    buffer = Words(1000, buffer_bytes=buffer_bytes)
    found: list[bytes] = []
    for start in range(0, len(STREAM), chunk_bytes):
        found += buffer.feed(STREAM[start : start + chunk_bytes])
    assert found == WORDS
    assert buffer.pending_bytes == 0


def test_the_block_of_a_large_frame_takes_nothing_behind_it() -> None:
    buffer = Words(1000, buffer_bytes=16)
    assert buffer.feed(bytes((200,)) + b"e" * 10) == []
    assert len(buffer.get_buffer()) == 190
    assert buffer.pending_bytes == 11


def test_what_came_before_a_break_is_not_lost() -> None:
    with pytest.raises(FrameError) as caught:
        Words(1000, buffer_bytes=4).feed(STREAM + b"\xff" + b"x" * 255)
    assert caught.value.frames == WORDS
