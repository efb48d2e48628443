"""HTTP/1.1 as far as lookups need it: a request's bytes, and an answer from those that come."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from magnetar_proto.errors import ProtocolError

MAX_HEAD_BYTES: Final = 1 << 16
MAX_BODY_BYTES: Final = 1 << 26
"""The names of half a million topics."""

_MAX_LINE_BYTES: Final = 1 << 12
_WITHOUT_BODY: Final = (204, 304)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said. Names of headers are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def get_request(authority: str, target: str, headers: Mapping[str, str]) -> bytes:
    """The bytes of a GET, after whose answer the server is to close."""
    given = {"Host": authority, "Accept": "application/json", **headers, "Connection": "close"}
    lines = [f"GET {target} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


class AnswerReader:
    """Reads one answer, however the network cuts it."""

    def __init__(self, max_body_bytes: int = MAX_BODY_BYTES) -> None:
        self._max_body_bytes = max_body_bytes
        self._data = bytearray()
        self._status = 0
        self._headers: dict[str, str] = {}
        self._body = bytearray()
        self._left = 0
        self._done = False
        self._step: Callable[[], bool] = self._head

    def feed(self, data: bytes | memoryview) -> Answer | None:
        """The answer, once it is whole.

        Raises:
            ProtocolError: this is no HTTP, or too much.
        """
        self._data += data
        while not self._done and self._step():
            pass
        return self._answer() if self._done else None

    def end(self) -> Answer:
        """The answer, if it ends where the connection does.

        Raises:
            ProtocolError: it is not whole.
        """
        if not self._done and self._step != self._until_end:
            raise ProtocolError("the answer ends before its end")
        return self._answer()

    def _answer(self) -> Answer:
        return Answer(self._status, self._headers, bytes(self._body))

    # Steps: each takes what it can, and says whether the next may go on.

    def _head(self) -> bool:
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            if len(self._data) > MAX_HEAD_BYTES:
                raise ProtocolError("the head of the answer has no end")
            return False
        first, *rest = self._data[:end].decode("latin-1").split("\r\n")
        del self._data[: end + 4]
        self._status = _status_of(first)
        self._headers = dict(map(_header_of, rest))
        if self._status >= 200:
            self._begin_body()
        return True

    def _begin_body(self) -> None:
        length = self._headers.get("content-length")
        if self._status in _WITHOUT_BODY:
            self._done = True
        elif self._headers.get("transfer-encoding", "").lower() == "chunked":
            self._step = self._chunk_size
        elif length is None:
            self._step = self._until_end
        else:
            self._left = _number_of(length, 10)
            self._step = self._sized

    def _sized(self) -> bool:
        self._take(self._left)
        self._done = not self._left
        return False

    def _until_end(self) -> bool:
        self._left = len(self._data)
        self._take(self._left)
        return False

    def _chunk_size(self) -> bool:
        line = self._line()
        if line is None:
            return False
        self._left = _number_of(line.partition(b";")[0].decode("latin-1"), 16)
        self._step = self._chunk if self._left else self._trailer
        return True

    def _chunk(self) -> bool:
        self._take(self._left)
        if not self._left:
            self._step = self._chunk_end
        return not self._left

    def _chunk_end(self) -> bool:
        line = self._line()
        if line:
            raise ProtocolError("a chunk of the answer is longer than it says")
        self._step = self._chunk_end if line is None else self._chunk_size
        return line is not None

    def _trailer(self) -> bool:
        line = self._line()
        self._done = line == b""
        return line is not None

    # Parts.

    def _take(self, count: int) -> None:
        if len(self._body) + count > self._max_body_bytes:
            raise ProtocolError(f"the answer is larger than {self._max_body_bytes} bytes")
        part = self._data[:count]
        del self._data[:count]
        self._body += part
        self._left -= len(part)

    def _line(self) -> bytes | None:
        end = self._data.find(b"\r\n", 0, _MAX_LINE_BYTES)
        if end < 0:
            if len(self._data) >= _MAX_LINE_BYTES:
                raise ProtocolError("a line of the answer has no end")
            return None
        line = bytes(self._data[:end])
        del self._data[: end + 2]
        return line


def _status_of(line: str) -> int:
    version, _, rest = line.partition(" ")
    if not version.startswith("HTTP/1."):
        raise ProtocolError("the answer is not HTTP/1")
    status = _number_of(rest.partition(" ")[0], 10)
    if not 100 <= status <= 599:
        raise ProtocolError(f"the answer has the status {status}")
    return status


def _header_of(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or not name.strip():
        raise ProtocolError("a header of the answer has no name")
    return name.strip().lower(), value.strip()


def _number_of(text: str, base: int) -> int:
    text = text.strip()
    if not text.isascii() or not text.isalnum() or len(text) > 15:
        raise ProtocolError(f"{text[:20]!r} in the answer is no number")
    try:
        return int(text, base)
    except ValueError as error:
        raise ProtocolError(f"{text!r} in the answer is no number") from error
