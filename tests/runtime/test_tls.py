"""TLS contexts from files, and connections that change to TLS."""

import asyncio
import ssl
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from magnetar_runtime.errors import ConfError
from magnetar_runtime.tls import TlsFiles, client_context, server_context, start_tls

from tests.certificates import Authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def files(authority: Authority) -> TlsFiles:
    return authority.issue("server", "0:writer")


class Echo(asyncio.Protocol):
    """Gives back what comes, once it is encrypted."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context
        self.early = b""
        self.ended: asyncio.Future[object] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none of asyncio's

    def data_received(self, data: bytes) -> None:
        if data == b"tls":
            self.task = asyncio.ensure_future(self.upgrade())
        elif self.ended.done():
            self.transport.write(data)
        else:
            self.early = data  # `start_tls` has not returned yet

    async def upgrade(self) -> None:
        self.transport.write(b"ok")
        try:
            self.transport = await start_tls(
                self.transport, self, self.context, server_side=True, timeout_ms=5000
            )
        except OSError as error:
            self.ended.set_result(error)
            return
        self.ended.set_result(self.transport.get_extra_info("peercert"))
        self.transport.write(self.early)


async def exchange(
    server: ssl.SSLContext, client: ssl.SSLContext, host: str = "127.0.0.1"
) -> object:
    """Both sides change to TLS and echo; what the server knows of the client."""
    async with asyncio.timeout(10):
        return await _exchange(server, client, host)


async def _exchange(server: ssl.SSLContext, client: ssl.SSLContext, host: str) -> object:
    made: list[Echo] = []

    def factory() -> Echo:
        made.append(Echo(server))
        return made[-1]

    listener = await asyncio.get_running_loop().create_server(factory, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(b"tls")
        assert await reader.readexactly(2) == b"ok"
        await writer.start_tls(client, server_hostname=host if client.check_hostname else None)
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"
        return await made[0].ended
    finally:
        writer.close()
        listener.close()


async def test_a_connection_goes_on_encrypted(files: TlsFiles) -> None:
    assert await exchange(server_context(files), client_context(files)) is None


async def test_the_server_sees_the_clients_certificate(
    authority: Authority, files: TlsFiles
) -> None:
    client = client_context(authority.issue("client", "0:writer"))
    found = await exchange(server_context(files, client_certificates=True), client)
    assert isinstance(found, dict)
    assert (("organizationalUnitName", "0:writer"),) in found["subject"]


async def test_a_client_without_a_certificate_gets_nothing(files: TlsFiles) -> None:
    server = server_context(files, client_certificates=True, versions=["TLSv1.2"])
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await exchange(server, client_context(replace(files, certificate="")))


async def test_a_certificate_of_somebody_else_is_refused(files: TlsFiles, tmp_path: Path) -> None:
    other = Authority.make(tmp_path, "other")
    with pytest.raises(ssl.SSLCertVerificationError):
        await exchange(server_context(files), client_context(TlsFiles(trusted=other.certificate)))


async def test_names_are_compared_if_that_is_asked_for(files: TlsFiles) -> None:
    client = client_context(files, verify_hostname=True)
    assert await exchange(server_context(files), client, "localhost") is None
    with pytest.raises(ssl.SSLCertVerificationError, match="ostname"):
        await exchange(server_context(files), client, "elsewhere.example")


async def test_a_key_with_a_password(authority: Authority) -> None:
    files = authority.issue("locked", password="secret")
    assert await exchange(server_context(files), client_context(files)) is None
    with pytest.raises(ConfError, match="locked"):
        server_context(replace(files, key_password=""))


@pytest.mark.parametrize("field", ["certificate", "key", "trusted"])
def test_a_file_that_is_missing_is_named(files: TlsFiles, field: str) -> None:
    with pytest.raises(ConfError, match="nowhere"):
        client_context(replace(files, **{field: "/nowhere.pem"}))


@pytest.mark.parametrize(
    ("names", "bounds"),
    [
        ([], ("TLSv1_2", "TLSv1_3")),
        (["TLSv1.2"], ("TLSv1_2", "TLSv1_2")),
        (["TLSv1", "TLSv1.3"], ("TLSv1_3", "TLSv1_3")),
    ],
)
def test_versions(files: TlsFiles, names: list[str], bounds: tuple[str, str]) -> None:
    context = server_context(files, versions=names)
    assert (context.minimum_version.name, context.maximum_version.name) == bounds
    with pytest.raises(ConfError, match="SSLv3"):
        server_context(files, versions=["SSLv3"])
