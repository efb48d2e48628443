import asyncio
import ssl
from typing import Any, ClassVar

import pytest
from magnetar.authentication import NO_AUTHENTICATION
from magnetar.connection_pool import ConnectionPool, Route
from magnetar.errors import AlreadyClosed, ConnectError
from magnetar.service_url import BrokerAddress
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.frames import FrameSplitter, encode_command
from magnetar_runtime.network import SystemNetwork
from magnetar_runtime.scope import TaskScope

from bench.ports import free_port


class Broker(asyncio.Protocol):
    """Says CONNECTED, or nothing."""

    opened = 0
    connects: ClassVar[list[Any]] = []
    answers = True

    def connection_made(self, transport: Any) -> None:
        Broker.opened += 1
        self.transport = transport
        self.splitter = FrameSplitter(1 << 20)

    def data_received(self, data: bytes) -> None:
        for _, command, _ in self.splitter.feed(data):
            Broker.connects.append(command)
            if Broker.answers:
                self.transport.write(encode_command(api.CommandConnected(server_version="v")))


@pytest.fixture
async def route() -> Any:
    Broker.opened, Broker.connects, Broker.answers = 0, [], True
    server = await asyncio.get_running_loop().create_server(Broker, "127.0.0.1", 0)
    yield Route.direct(BrokerAddress("127.0.0.1", server.sockets[0].getsockname()[1]))
    server.close()


def pool_of(scope: TaskScope, timeout_ms: int = 5000) -> ConnectionPool:
    return ConnectionPool(
        SystemNetwork(), scope, NO_AUTHENTICATION, ssl.create_default_context, timeout_ms, 60_000
    )


async def test_all_share_one_connection_until_it_ends(route: Route) -> None:
    pool = pool_of(TaskScope())
    first, second = await asyncio.gather(pool.get(route), pool.get(route))
    assert first is second
    assert await pool.get(route) is first
    assert Broker.opened == 1
    first.abort(ConnectError("x"))
    assert await pool.get(route) is not first
    assert Broker.opened == 2
    pool.close()


async def test_who_is_cancelled_does_not_cancel_the_others(route: Route) -> None:
    pool = pool_of(TaskScope())
    first = asyncio.create_task(pool.get(route))
    second = asyncio.create_task(pool.get(route))
    await asyncio.sleep(0)
    first.cancel()
    assert not (await second).closed
    assert Broker.opened == 1
    pool.close()


async def test_a_proxy_is_told_whom_it_is_for(route: Route) -> None:
    pool = pool_of(TaskScope())
    await pool.get(Route(BrokerAddress("behind", 7), route.through))
    assert Broker.connects[0].proxy_to_broker_url == "behind:7"
    pool.close()


async def test_no_answer_and_nobody_there(route: Route) -> None:
    Broker.answers = False
    scope = TaskScope()
    pool = pool_of(scope, 50)
    with pytest.raises(ConnectError, match=r"no connection in 0\.05 s"):
        await pool.get(route)
    with pytest.raises(ConnectError):
        await pool.get(Route.direct(BrokerAddress("127.0.0.1", free_port())))
    assert not scope.closed


async def test_closed_is_closed(route: Route) -> None:
    pool = pool_of(TaskScope())
    connection = await pool.get(route)
    pool.close()
    assert connection.closed
    with pytest.raises(AlreadyClosed):
        await pool.get(route)


async def test_a_host_name_that_cannot_be_is_no_cancellation() -> None:
    failures: list[BaseException] = []
    scope = TaskScope(failures.append)
    pool = ConnectionPool(
        SystemNetwork(), scope, NO_AUTHENTICATION, ssl.create_default_context, 1000, 1000
    )
    with pytest.raises(ConnectError, match=r"a\.\.b"):
        await pool.get(Route.direct(BrokerAddress.parse("pulsar://a..b:6650")))
    await scope.close()
    assert failures == []
