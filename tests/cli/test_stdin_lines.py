import asyncio
import io
import os
from typing import Any

import pytest
from magnetar_cli import stdin_lines
from magnetar_cli.exits import CommandFailedError
from magnetar_cli.stdin_lines import lines_of, read_lines

LONGEST = b"x" * (5 * 1024 * 1024)


def test_lines_that_are_just_short_enough() -> None:
    for end in (b"", b"\n", b"\r\n"):
        assert list(read_lines(io.BytesIO(b"a\n" + LONGEST + end))) == [b"a", LONGEST]


async def test_many_lines_come_in_order_and_then_the_end() -> None:
    stream = io.BytesIO(b"".join(b"%d\n" % number for number in range(1000)))
    assert [int(line) async for line in lines_of(stream)] == list(range(1000))


async def test_lines_before_one_that_is_too_long_are_given() -> None:
    lines = lines_of(io.BytesIO(b"first\n" + LONGEST + b"x"))
    assert await anext(lines) == b"first"
    with pytest.raises(CommandFailedError, match="line 2 is longer than 5 MiB"):
        await anext(lines)


async def test_what_cannot_be_read_is_told() -> None:
    source, sink = os.pipe()
    os.close(source)
    with open(sink, "rb") as stream, pytest.raises(OSError, match="Bad file descriptor"):
        await anext(lines_of(stream))


async def test_a_line_comes_while_the_pipe_stays_open_and_few_are_read_ahead() -> None:
    source, sink = os.pipe()
    with open(source, "rb") as stream, open(sink, "wb", buffering=0) as end:
        lines: Any = lines_of(stream)
        end.write(b"1\n")
        assert await asyncio.wait_for(anext(lines), 5) == b"1"
        end.write(b"\n" * 1000)
        assert await asyncio.wait_for(anext(lines), 5) == b""
        reader = lines.ag_frame.f_locals["reader"]
        await asyncio.sleep(0.05)
        assert reader._items.qsize() <= stdin_lines._AHEAD_LINES
        await lines.aclose()
