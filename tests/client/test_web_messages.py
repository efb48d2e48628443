"""HTTP answers, whole and in pieces, and what is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from magnetar.web_messages import Answer, AnswerReader, get_request
from magnetar_proto.errors import ProtocolError

SIZED = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n[]"
CHUNKED = (
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"
    b"1;a=b\r\n[\r\n00b\r\n  \r\n       \r\n1\r\n]\r\n0\r\nTrailer: x\r\n\r\n"
)
EMPTY = b"HTTP/1.1 204 No Content\r\n\r\n"
REDIRECT = b"HTTP/1.1 307\r\nLocation:  http://b:1/x \r\ncontent-length: 0\r\n\r\n"

WHOLE = {
    SIZED: (200, b"[]"),
    CHUNKED: (200, b"[  \r\n       ]"),
    EMPTY: (204, b""),
    REDIRECT: (307, b""),
}


def read(data: bytes, cuts: list[int] | None = None) -> Answer | None:
    reader, answer, begin = AnswerReader(), None, 0
    for cut in [*sorted(cuts or []), len(data)]:
        answer = reader.feed(data[begin:cut])
        begin = max(begin, cut)
    return answer


@given(st.sampled_from(sorted(WHOLE)), st.data())
def test_however_it_is_cut(data: bytes, draw: st.DataObject) -> None:
    cuts = draw.draw(st.lists(st.integers(0, len(data) - 1), max_size=5))
    answer = read(data, cuts)
    assert answer is not None
    assert (answer.status, answer.body) == WHOLE[data]
    for short in range(len(data)):
        assert read(data[:short]) is None


def test_headers() -> None:
    answer = read(REDIRECT)
    assert answer is not None
    assert answer.headers["location"] == "http://b:1/x"


def test_an_answer_that_ends_with_its_connection() -> None:
    reader = AnswerReader()
    assert reader.feed(b"HTTP/1.0 200 OK\r\n\r\n[1") is None
    assert reader.feed(b"]") is None
    assert reader.end().body == b"[1]"


@pytest.mark.parametrize("data", [b"", SIZED[:-1], CHUNKED[:-1], EMPTY[:-1]])
def test_the_end_before_the_end(data: bytes) -> None:
    reader = AnswerReader()
    assert reader.feed(data) is None
    with pytest.raises(ProtocolError, match="before its end"):
        reader.end()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\x00\x00\x00\x01\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 2x0 OK\r\n\r\n", "no number"),
        (b"HTTP/1.1 999 OK\r\n\r\n", "status 999"),
        (b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "no name"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "no number"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 14 + b"\r\n\r\n", "larger"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "no number"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", "longer"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 5000, "no end"),
        (b"x" * 70_000, "no end"),
    ],
)
def test_what_is_no_answer(data: bytes, why: str) -> None:
    with pytest.raises(ProtocolError, match=why):
        read(data)


def test_a_body_has_a_limit() -> None:
    reader = AnswerReader(max_body_bytes=10)
    reader.feed(b"HTTP/1.1 200 OK\r\n\r\n0123456789")
    with pytest.raises(ProtocolError, match="larger"):
        reader.feed(b"x")


def test_a_request() -> None:
    assert get_request("h:1", "/a?b=c", {"Authorization": "Bearer x"}) == (
        b"GET /a?b=c HTTP/1.1\r\nHost: h:1\r\nAccept: application/json\r\n"
        b"Authorization: Bearer x\r\nConnection: close\r\n\r\n"
    )
