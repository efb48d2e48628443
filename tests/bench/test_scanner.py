"""Counting by strides must agree with counting one by one."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from bench.scanner import Run, scan


def stream_of(sizes: list[int]) -> bytes:
    # Bodies of 0xFF would be taken for lengths if the scanner ever looked at the wrong place.
    return b"".join(struct.pack(">I", size) + b"\xff" * size for size in sizes)


@given(
    st.lists(st.tuples(st.sampled_from([0, 1, 5, 255, 256, 300]), st.integers(1, 20))),
    st.data(),
)
def test_runs_cover_exactly_the_whole_frames(
    stretches: list[tuple[int, int]], data: st.DataObject
) -> None:
    sizes = [size for size, count in stretches for _ in range(count)]
    stream = stream_of(sizes)
    end = data.draw(st.integers(0, len(stream)))
    runs, rest = scan(stream, end)
    whole: list[int] = []
    at = 0
    for size in sizes:
        if at + 4 + size > end:
            break
        whole.append(size)
        at += 4 + size
    assert [run.frame_bytes - 4 for run in runs for _ in range(run.count)] == whole
    assert rest == at
    assert [run.start for run in runs[1:]] == [
        run.start + run.count * run.frame_bytes for run in runs[:-1]
    ]


def test_equal_frames_are_one_run() -> None:
    runs, rest = scan(bytearray(stream_of([7] * 100)), 1100)
    assert runs == [Run(0, 11, 100)]
    assert (runs[0].last_start, rest) == (99 * 11, 1100)
