"""What the simulated transport does beyond the contract (tests/runtime/test_transport_contract.py):
it takes every liberty that it gives, so that who counts on more is found."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from magnetar_runtime import sim

from tests.runtime.recorders import BufferedRecorder, StreamRecorder


async def join(world: sim.Simulation, server: Any, client: Any) -> None:
    """Connect two protocols."""
    await world.node("server").network.listen(lambda: server, "server", 6650)
    await world.node("client").network.connect(lambda: client, "server", 6650)
    await server.was("made")


def on_every_seed(main: Callable[[sim.Simulation], Coroutine[Any, Any, None]]) -> None:
    for seed in range(10):
        sim.run(main, seed=seed)


def test_a_view_of_the_receive_buffer_does_not_outlive_the_callback() -> None:
    class Careless(BufferedRecorder):
        kept: memoryview

        def buffer_updated(self, nbytes: int) -> None:
            super().buffer_updated(nbytes)
            self.kept = memoryview(self._buffer)[:nbytes]

    async def main(world: sim.Simulation) -> None:
        server, client = Careless(), StreamRecorder()
        await join(world, server, client)
        client.transport.write(b"x" * 100)
        await server.has(100)
        await asyncio.sleep(0)
        assert server.data == b"x" * 100
        assert b"x" not in bytes(server.kept)

    on_every_seed(main)


def test_bytes_behind_what_was_received_are_junk() -> None:
    class Looking(BufferedRecorder):
        def buffer_updated(self, nbytes: int) -> None:
            assert set(self._buffer[nbytes:]) <= {0xDB}
            super().buffer_updated(nbytes)

    async def main(world: sim.Simulation) -> None:
        server, client = Looking(100), StreamRecorder()
        await join(world, server, client)
        client.transport.write(bytes(250))
        await server.has(250)
        assert server.data == bytes(250)

    on_every_seed(main)


def test_what_was_written_is_read_late() -> None:
    async def main(world: sim.Simulation) -> None:
        server, client = BufferedRecorder(), StreamRecorder()
        await join(world, server, client)
        written = bytearray(b"before")
        client.transport.write(written)
        written[:] = b"behind"
        await server.has(6)
        assert server.data == b"behind"

    on_every_seed(main)


def test_who_uses_a_transport_behind_its_end_is_told() -> None:
    async def main(world: sim.Simulation) -> None:
        server, client = BufferedRecorder(), StreamRecorder()
        await join(world, server, client)
        client.transport.close()
        await client.was("lost")
        for call in ("pause_reading", "resume_reading", "write_eof", "abort"):
            with pytest.raises(RuntimeError, match="after connection_lost"):
                getattr(client.transport, call)()
        client.transport.close()

    on_every_seed(main)


def test_a_paused_reader_learns_of_a_reset_when_it_reads_or_writes() -> None:
    async def main(world: sim.Simulation) -> None:
        server, client = BufferedRecorder(), StreamRecorder()
        await join(world, server, client)
        for end in (server, client):
            end.transport.pause_reading()
        [connection] = world.network.connections
        connection.reset()
        await asyncio.sleep(10)
        assert server.calls == client.calls == ["made"]
        server.transport.resume_reading()
        client.transport.write(b"x")
        for end in (server, client):
            await end.was("lost")
            assert isinstance(end.errors[0], ConnectionResetError)

    on_every_seed(main)


def test_a_socket_that_is_closed_with_bytes_unread_resets() -> None:
    async def main(world: sim.Simulation) -> None:
        server, client = BufferedRecorder(), StreamRecorder()
        await join(world, server, client)
        server.transport.pause_reading()
        client.transport.write(b"never read")
        await asyncio.sleep(10)
        server.transport.close()
        await client.was("lost")
        assert isinstance(client.errors[0], ConnectionResetError)
        assert client.calls == ["made", "lost"]

    on_every_seed(main)


def test_an_empty_buffer_is_a_bug() -> None:
    async def main(world: sim.Simulation) -> None:
        server, client = BufferedRecorder(0), StreamRecorder()
        await join(world, server, client)
        client.transport.write(b"x")
        await server.was("lost")

    with pytest.raises(RuntimeError, match="empty buffer"):
        sim.run(main)
