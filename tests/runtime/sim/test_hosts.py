"""Hosts: where they listen, whom they reach, and how they fail."""

import asyncio
import errno
import socket
import ssl

import pytest
from magnetar_runtime import sim
from magnetar_runtime.errors import NotSimulatedError
from magnetar_runtime.sim.hosts import CONNECT_LIMIT_S

from tests.runtime.recorders import BufferedRecorder


def test_a_host_is_reached_where_it_listens() -> None:
    async def main(world: sim.Simulation) -> None:
        one, other = world.network.host("one"), world.network.host("other")
        await one.listen(BufferedRecorder, ["127.0.0.1", "::1"], 1)
        await one.listen(BufferedRecorder, "one", 2)
        await one.listen(BufferedRecorder, "0.0.0.0", 3)
        reached = {
            (host.name, name, port)
            for host, name, port in [
                (one, "localhost", 1), (one, "::1", 1), (one, "localhost", 3), (one, "one", 2),
                (one, one.address, 3), (other, "one", 2), (other, one.address, 2),
                (other, "one", 3),
            ]
            if await host.connect(BufferedRecorder, name, port)
        }  # fmt: skip
        assert len(reached) == 8
        for host, name, port in [(other, "one", 1), (other, "localhost", 1), (one, "one", 1)]:
            with pytest.raises(ConnectionRefusedError):
                await host.connect(BufferedRecorder, name, port)
        with pytest.raises(socket.gaierror):
            await one.connect(BufferedRecorder, "nowhere", 1)

    sim.run(main)


def test_ports_and_addresses_are_a_hosts_own() -> None:
    async def main(world: sim.Simulation) -> None:
        one, other = world.network.host("one"), world.network.host("other")
        listener = await one.listen(BufferedRecorder, ["one", "::1"], 7)
        assert listener.ports == [7, 7]
        assert listener.addresses == [f"{one.address}:7", "[::1]:7"]
        await other.listen(BufferedRecorder, "other", 7)
        for host, port, code in [("one", 7, errno.EADDRINUSE), ("other", 8, errno.EADDRNOTAVAIL)]:
            with pytest.raises(OSError, match=r".") as caught:
                await one.listen(BufferedRecorder, host, port)
            assert caught.value.errno == code
        listener.close()
        again = await one.listen(BufferedRecorder, "one", 7)
        listener.close()
        await other.connect(BufferedRecorder, "one", 7)
        assert again.ports == [7]

    sim.run(main)


def test_tls_is_not_simulated() -> None:
    async def main(world: sim.Simulation) -> None:
        with pytest.raises(NotSimulatedError):
            await world.network.host("one").connect(
                BufferedRecorder, "one", 1, ssl.create_default_context()
            )

    sim.run(main)


def test_a_killed_process_resets_its_connections_and_is_told_nothing() -> None:
    async def main(world: sim.Simulation) -> None:
        server, client = BufferedRecorder(), BufferedRecorder()
        one, other = world.network.host("one"), world.network.host("other")
        await one.listen(lambda: server, "one", 1)
        await other.connect(lambda: client, "one", 1)
        one.fail(silently=False)
        await client.was("lost")
        assert isinstance(client.errors[0], ConnectionResetError)
        with pytest.raises(ConnectionRefusedError):
            await other.connect(BufferedRecorder, "one", 1)
        assert server.calls == ["made"]
        assert world.network.connections == []

    sim.run(main)


def test_a_host_without_power_answers_nothing_until_it_is_back() -> None:
    async def main(world: sim.Simulation) -> None:
        talker, listener = BufferedRecorder(), BufferedRecorder()
        one, other = world.network.host("one"), world.network.host("other")
        await one.listen(BufferedRecorder, "one", 1)
        await other.connect(lambda: talker, "one", 1)
        await other.connect(lambda: listener, "one", 1)
        one.fail(silently=True)
        talker.transport.write(b"are you there?")
        began = world.loop.time()
        with pytest.raises(TimeoutError):
            await other.connect(BufferedRecorder, "one", 1)
        assert world.loop.time() - began >= CONNECT_LIMIT_S
        assert talker.calls == listener.calls == ["made"], "nothing tells them"
        one.restart()
        await talker.was("lost")
        assert isinstance(talker.errors[0], ConnectionResetError)
        await asyncio.sleep(100)
        assert listener.calls == ["made"], "who says nothing hears nothing"
        listener.transport.write(b"and you?")
        await listener.was("lost")

    sim.run(main)


def test_who_does_not_wait_for_his_connection_does_not_leave_it_open() -> None:
    async def main(world: sim.Simulation) -> None:
        server = BufferedRecorder()
        one, other = world.network.host("one"), world.network.host("other")
        await one.listen(lambda: server, "one", 1)
        task = world.loop.create_task(other.connect(BufferedRecorder, "one", 1))
        await server.was("made")
        task.cancel()
        await server.was("lost")

    sim.run(main, link_shape=sim.LinkShape(latency_min_us=1_000, latency_max_us=1_000))
