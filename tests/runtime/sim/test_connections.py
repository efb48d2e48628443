"""The ways in which a connection breaks."""

import pytest
from magnetar_runtime import sim
from magnetar_runtime.sim.links import RETRANSMIT_LIMIT_S

from tests.runtime.recorders import BufferedRecorder


async def join(
    world: sim.Simulation,
) -> tuple[BufferedRecorder, BufferedRecorder, sim.SimConnection]:
    server, client = BufferedRecorder(), BufferedRecorder()
    await world.network.host("server").listen(lambda: server, "server", 1)
    await world.network.host("client").connect(lambda: client, "server", 1)
    [connection] = world.network.connections
    assert connection.is_open
    return client, server, connection


@pytest.mark.parametrize("seed", range(5))
def test_a_reset_is_seen_by_both(seed: int) -> None:
    async def main(world: sim.Simulation) -> None:
        client, server, connection = await join(world)
        client.transport.write(b"x" * 1000)
        connection.reset()
        for end in (client, server):
            await end.was("lost")
            assert isinstance(end.errors[0], ConnectionResetError)
        assert not connection.is_open

    sim.run(main, seed=seed)


@pytest.mark.parametrize("seed", range(5))
def test_it_breaks_behind_the_byte_that_was_told(seed: int) -> None:
    async def main(world: sim.Simulation) -> None:
        client, server, connection = await join(world)
        connection.reset_after(sent_bytes=10)
        client.transport.write(b"0123456789abcdef")
        await server.was("lost")
        await client.was("lost")
        assert b"0123456789".startswith(bytes(server.data)), "some systems drop what was not read"
        client, server, connection = await join_again(world)
        connection.reset_after(received_bytes=3)
        server.transport.write(b"abc")
        await client.was("lost")

    async def join_again(
        world: sim.Simulation,
    ) -> tuple[BufferedRecorder, BufferedRecorder, sim.SimConnection]:
        server, client = BufferedRecorder(), BufferedRecorder()
        await world.network.host("server").listen(lambda: server, "server", 2)
        await world.network.host("client").connect(lambda: client, "server", 2)
        return client, server, world.network.connections[-1]

    sim.run(main, seed=seed)


def test_half_open_who_sends_gives_up_in_time_and_who_waits_never() -> None:
    async def main(world: sim.Simulation) -> None:
        client, server, connection = await join(world)
        connection.lose_end(connection.server, silently=True)
        client.transport.write(b"hello?")
        began = world.loop.time()
        await client.was("lost")
        assert isinstance(client.errors[0], TimeoutError)
        assert world.loop.time() - began >= RETRANSMIT_LIMIT_S
        assert server.calls == ["made"]

    sim.run(main)
