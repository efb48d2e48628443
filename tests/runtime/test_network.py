"""Listening and connecting on loopback."""

import asyncio
import errno
import socket

import pytest
from magnetar_runtime.network import (
    Network,
    SystemNetwork,
    address_text,
    bound_sockets,
    is_address,
    is_loopback,
)


class Collector(asyncio.Protocol):
    """Keeps what arrives until the other side ends."""

    def __init__(self) -> None:
        self.data = b""
        self.ended = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        self.data += data

    def connection_lost(self, error: Exception | None) -> None:
        self.ended.set_result(None)


async def test_connects_to_every_host_it_listens_on() -> None:
    network: Network = SystemNetwork()
    accepted: list[Collector] = []

    def accept() -> Collector:
        accepted.append(Collector())
        return accepted[-1]

    listener = await network.listen(accept, ["127.0.0.1", "::1"], 0)
    assert len(set(listener.ports)) == 1
    assert listener.addresses[0] == f"127.0.0.1:{listener.ports[0]}"
    for address in listener.addresses:
        host = address.rpartition(":")[0].strip("[]")
        transport, client = await network.connect(Collector, host, listener.ports[0])
        transport.write(host.encode())
        transport.close()
        assert isinstance(client, Collector)
        await client.ended
    await asyncio.gather(*(server.ended for server in accepted))
    hosts = [address.rpartition(":")[0].strip("[]") for address in listener.addresses]
    assert [server.data.decode() for server in accepted] == hosts
    listener.close()
    await listener.wait_closed()


async def test_a_taken_port_is_an_error_and_leaves_nothing_open() -> None:
    [taken] = await bound_sockets(["127.0.0.1"], 0)
    port = taken.getsockname()[1]
    with pytest.raises(OSError, match=r".") as caught:
        await bound_sockets(["127.0.0.2", "127.0.0.1"], port)
    assert caught.value.errno == errno.EADDRINUSE
    taken.close()
    for sock in await bound_sockets(["127.0.0.2", "127.0.0.1"], port):
        sock.close()


async def test_a_host_that_is_not_there_is_left_out_unless_it_is_the_only_one() -> None:
    [sock] = await bound_sockets(["192.0.2.1", "127.0.0.1"], 0)
    assert sock.getsockname()[0] == "127.0.0.1"
    sock.close()
    with pytest.raises(OSError, match=r".") as caught:
        await bound_sockets(["192.0.2.1"], 0)
    assert caught.value.errno == errno.EADDRNOTAVAIL


@pytest.mark.parametrize(
    ("host", "port"),
    [
        ("bookie-9..svc", 3181),
        ("a" * 64 + ".svc", 3181),
        ("a\0b", 3181),
        ("127.0.0.1", 65536),
        ("127.0.0.1", 2**64),
        ("127.0.0.1", -1),
    ],
)
async def test_what_is_no_address_cannot_be_reached(host: str, port: int) -> None:
    with pytest.raises(OSError, match=r"."):
        await SystemNetwork().connect(asyncio.Protocol, host, port)


async def test_a_free_port_is_drawn_again_when_another_host_has_it_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    create = socket.create_server
    refusals = [OSError(errno.EADDRINUSE, "taken")]

    def once_taken(address: tuple[str, int], **options: int) -> socket.socket:
        if address[0] == "127.0.0.2" and refusals:
            raise refusals.pop()
        return create(address, **options)

    monkeypatch.setattr(socket, "create_server", once_taken)
    sockets = await bound_sockets(["127.0.0.1", "127.0.0.2"], 0)
    assert len(sockets) == 2
    assert len({sock.getsockname()[1] for sock in sockets}) == 1
    for sock in sockets:
        sock.close()


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("app.localhost", True),
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("::1", True),
        ("[::1]", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.0.1", False),
        ("localhost.example.org", False),
        ("127.0.0.1.example.org", False),
        ("", False),
    ],
)
def test_loopback_is_recognised(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_addresses_of_ipv6_stand_in_brackets() -> None:
    assert address_text("127.0.0.1", 1) == "127.0.0.1:1"
    assert address_text("::1", 1) == "[::1]:1"


@pytest.mark.parametrize(("host", "found"), [("10.0.0.1", True), ("[::2]", True), ("a.b", False)])
def test_what_is_an_address(host: str, found: bool) -> None:
    assert is_address(host) is found
