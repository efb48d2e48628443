"""Our network client and our bookie service, encrypted: both loops, both versions, roles."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvloop
from magnetar_ledger.network import BookieNetworkConfig
from magnetar_ledger.network.network_bookie import NetworkBookie
from magnetar_proto.bookie import Status
from magnetar_proto.bookkeeper.requests import StartTlsRequest
from magnetar_proto.bookkeeper.stream import encode_request
from magnetar_runtime.network import SystemNetwork
from magnetar_runtime.scope import TaskScope
from magnetar_runtime.tls import TlsFiles, client_context, server_context
from magnetar_storage.service.limits import ServiceLimits
from magnetar_storage.service.security import ServiceSecurity
from magnetar_storage.service.server import BookieServer

from tests.certificates import Authority
from tests.proto.bookie_contract import KEY, LEDGER, Adds, Reads, header_of, payload_of
from tests.storage.support import Box

MAX_BYTES = 64 << 20


@dataclass(frozen=True)
class Certificates:
    authority: Authority
    server: TlsFiles
    writer: TlsFiles
    reader: TlsFiles

    def security(self, *roles: str) -> ServiceSecurity:
        context = server_context(self.server, client_certificates=True)
        return ServiceSecurity(context, frozenset(roles), handshake_timeout_ms=2000)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    authority = Authority.make(tmp_path_factory.mktemp("certificates"))
    return Certificates(
        authority,
        authority.issue("server"),
        authority.issue("writer", "0:writer"),
        authority.issue("reader", "0:reader"),
    )


@dataclass
class Served:
    box: Box
    server: BookieServer
    port: int
    scope: TaskScope

    def client(self, tls: ssl.SSLContext | None, *, version: int = 2) -> NetworkBookie:
        async def address() -> tuple[str, int]:
            return "127.0.0.1", self.port

        config = BookieNetworkConfig(
            use_v2_wire_protocol=version == 2, tls=tls, connect_timeout_ms=5000
        )
        return NetworkBookie("bookie", address, SystemNetwork(), self.scope, config)


@asynccontextmanager
async def served(directory: Path, security: ServiceSecurity) -> AsyncIterator[Served]:
    box, scope = Box(directory), TaskScope()
    bookie, loop = await box.open(), asyncio.get_running_loop()
    server = BookieServer(bookie, loop, ServiceLimits(), lambda: None, security)
    (address,) = await server.listen(SystemNetwork(), ["127.0.0.1"], 0)
    try:
        yield Served(box, server, int(address.rpartition(":")[2]), scope)
    finally:
        await scope.close()
        await server.close()
        await bookie.close()


async def add(bookie: NetworkBookie, count: int, size: int) -> set[Status]:
    sink = Adds()
    headers = [header_of(LEDGER, n) for n in range(count)]
    payloads = [payload_of(n, size) for n in range(count)]
    bookie.add(LEDGER, range(count), KEY, headers, payloads, 0, sink)
    while len(sink.by_entry) < count:
        await asyncio.sleep(0.001)
    return set(sink.by_entry.values())


async def read(bookie: NetworkBookie, count: int) -> list[bytes]:
    found: list[bytes] = []
    while len(found) < count:
        sink = Reads()
        bookie.read(LEDGER, len(found), count, MAX_BYTES, 0, b"", sink, 1)
        while not sink.rows:
            await asyncio.sleep(0.001)
        ((_, status, _, entries),) = sink.rows
        assert status is Status.OK
        found += entries
    return found


LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}


def run_on(loop: str, main: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(main)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize(("count", "size"), [(500, 100), (4, 1 << 20)])
def test_entries_go_there_and_back(
    certificates: Certificates, tmp_path: Path, loop: str, version: int, count: int, size: int
) -> None:
    async def main() -> None:
        async with served(tmp_path, certificates.security("writer")) as service:
            bookie = service.client(client_context(certificates.writer), version=version)
            assert await add(bookie, count, size) == {Status.OK}
            found = await read(bookie, count)
            assert found == [header_of(LEDGER, n) + payload_of(n, size) for n in range(count)]
            bookie.close()

    run_on(loop, main())


async def statuses(service: Served, tls: ssl.SSLContext | None, version: int) -> set[Status]:
    bookie = service.client(tls, version=version)
    try:
        return await add(bookie, 1, 10)
    finally:
        bookie.close()


@pytest.mark.parametrize("version", [2, 3])
async def test_who_has_no_role_is_turned_away(
    certificates: Certificates, tmp_path: Path, version: int
) -> None:
    async with served(tmp_path, certificates.security("writer")) as service:
        reader, writer = map(client_context, (certificates.reader, certificates.writer))
        assert await statuses(service, None, version) == {Status.UNAUTHORIZED}
        assert await statuses(service, reader, version) == {Status.UNAUTHORIZED}
        assert service.box.bookie.ledger_ids == []
        assert await statuses(service, writer, version) == {Status.OK}


async def test_without_roles_who_comes_in_clear_is_served_as_by_bookkeeper(
    certificates: Certificates, tmp_path: Path
) -> None:
    async with served(tmp_path, certificates.security()) as service:
        assert await statuses(service, None, 3) == {Status.OK}
        assert await statuses(service, client_context(certificates.reader), 3) == {Status.OK}


async def test_whom_the_other_does_not_trust_gets_nothing(
    certificates: Certificates, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = Authority.make(tmp_path / "other", "other")
    strangers = (
        client_context(other.issue("stranger", "0:writer")),  # does not trust the bookie
        client_context(TlsFiles(trusted=certificates.authority.certificate)),  # shows nothing
    )
    async with served(tmp_path, certificates.security("writer")) as service:
        for tls in strangers:
            assert await statuses(service, tls, 3) == {Status.UNAVAILABLE}
        assert service.box.bookie.ledger_ids == []


async def test_a_bookie_without_tls_is_not_written_to_in_clear(
    certificates: Certificates, tmp_path: Path
) -> None:
    async with served(tmp_path, ServiceSecurity()) as service:
        tls = client_context(certificates.writer)
        assert await statuses(service, tls, 2) == {Status.UNAVAILABLE}
        assert service.box.bookie.ledger_ids == []


def start_tls_bytes() -> bytes:
    parts: list[bytes] = []
    encode_request(StartTlsRequest(5), parts)
    return b"".join(parts)


@pytest.mark.parametrize("behind", [b"\x00\x00\x00\x14", start_tls_bytes() + b"\x00"])
async def test_what_follows_start_tls_in_clear_ends_the_connection(
    certificates: Certificates, tmp_path: Path, behind: bytes
) -> None:
    async with served(tmp_path, certificates.security("writer")) as service:
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
        writer.write(start_tls_bytes() + behind)
        await asyncio.wait_for(reader.read(), 5)  # to the end
        writer.close()


async def test_a_handshake_that_does_not_end_costs_its_connection(
    certificates: Certificates, tmp_path: Path
) -> None:
    async with served(tmp_path, certificates.security("writer")) as service:
        counters = service.server._context.counters
        for data in (b"", b"GET / HTTP/1.1\r\n\r\n"):
            reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
            writer.write(start_tls_bytes())
            await reader.read(100)
            writer.write(data)
            await asyncio.wait_for(reader.read(), 10)
            writer.close()
        while counters.connections:
            await asyncio.sleep(0.01)
        assert not service.server._connections


async def test_a_peer_that_goes_within_the_handshake_is_forgotten(
    certificates: Certificates, tmp_path: Path
) -> None:
    async with served(tmp_path, certificates.security("writer")) as service:
        for _ in range(20):
            _, writer = await asyncio.open_connection("127.0.0.1", service.port)
            writer.write(start_tls_bytes())
            writer.transport.abort()
        while service.server._connections:
            await asyncio.sleep(0.01)
        assert await statuses(service, client_context(certificates.writer), 3) == {Status.OK}
