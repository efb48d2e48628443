"""The protocol under a connection to a bookie."""

import asyncio
from collections.abc import Iterable, Sequence

from magnetar_ledger.network.connection import BookieConnection
from magnetar_proto.bookie import Status
from magnetar_proto.bookkeeper.responses import AddResponse, Response
from magnetar_proto.bookkeeper.stream import encode_response


class Pipe(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[object] = []
        self.aborted = False

    def write(self, data: object) -> None:
        self.writes.append(data)

    def writelines(self, list_of_data: Iterable[object]) -> None:
        self.writes.append(list(list_of_data))

    def abort(self) -> None:
        self.aborted = True


class Told:
    def __init__(self) -> None:
        self.responses: list[Response] = []
        self.lost = 0
        self.connection = BookieConnection(self.on_responses, self.on_lost)
        self.pipe = Pipe()
        self.connection.connection_made(self.pipe)

    def on_responses(self, responses: Sequence[Response]) -> None:
        self.responses += responses

    def on_lost(self, connection: BookieConnection) -> None:
        self.lost += 1

    def receive(self, data: bytes) -> None:
        while data:
            room = self.connection.get_buffer(-1)
            size = min(len(room), len(data))
            room[:size] = data[:size]
            self.connection.buffer_updated(size)
            data = data[size:]


def frame_of(response: Response) -> bytes:
    parts: list[bytes] = []
    encode_response(response, parts)
    return b"".join(parts)


RESPONSES = [AddResponse(2, 0, Status.OK, 7, entry_id) for entry_id in range(5)]


def test_responses_are_cut_out_of_chunks_of_any_size() -> None:
    told = Told()
    data = b"".join(map(frame_of, RESPONSES))
    for position in range(0, len(data), 7):
        told.receive(data[position : position + 7])
    assert told.responses == RESPONSES
    assert not told.pipe.aborted


def test_a_frame_that_cannot_be_read_ends_it_behind_the_good_ones() -> None:
    for rubbish in (b"\xff\xff\xff\xff", b"\0\0\0\x04\x02\x63\0\0"):
        told = Told()
        told.receive(frame_of(RESPONSES[0]) + rubbish)
        assert told.responses == RESPONSES[:1]
        assert told.pipe.aborted


def test_small_parts_are_joined_and_large_ones_are_not_copied() -> None:
    told = Told()
    told.connection.write([b"a", b"b"])
    large = [b"head", b"x" * 10_000]
    told.connection.write(large)
    assert told.pipe.writes == [b"ab", large]


def test_the_end_is_told_once_and_nothing_is_written_afterwards() -> None:
    told = Told()
    assert told.connection.alive
    told.connection.connection_lost(None)
    told.connection.write([b"x"])
    told.connection.abort()
    assert (told.lost, told.pipe.writes, told.pipe.aborted) == (1, [], False)
    assert not told.connection.alive
