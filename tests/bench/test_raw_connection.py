"""Handshake and set-up against the null server."""

import pytest

from bench import wire
from bench.errors import WireError
from bench.raw_connection import RawConnection
from bench.servers import Server


def test_producer_is_opened(null_server: Server) -> None:
    connection = RawConnection(null_server.port)
    connection.open_producer("persistent://public/default/t")
    connection.close()


def test_another_answer_is_an_error(null_server: Server) -> None:
    connection = RawConnection(null_server.port)
    with pytest.raises(WireError, match="instead of"):
        connection.request(wire.producer("t", 0, 1), wire.SUCCESS)
    connection.close()
