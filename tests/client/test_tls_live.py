"""TLS, client certificates and tokens on brokers.

Magnetar has no TLS and no authentication of its own yet: a proxy speaks TLS for it.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from magnetar import AuthenticationTLS, AuthenticationToken, Client
from magnetar.errors import AuthenticationError, ConnectError
from magnetar_runtime.tls import TlsFiles, server_context

from tests.certificates import Authority
from tests.client.secured_servers import ApacheWithTls, MagnetarBehindTls, token_of
from tests.client.tls_proxy import tls_proxy

ELSEWHERE = "127.0.0.2"
"""No certificate names it."""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.make(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def certificate(authority: Authority) -> TlsFiles:
    return authority.issue("broker")


@pytest.fixture(scope="module")
def magnetar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MagnetarBehindTls]:
    server = MagnetarBehindTls(tmp_path_factory.mktemp("tls"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def apache(
    tmp_path_factory: pytest.TempPathFactory, certificate: TlsFiles
) -> Iterator[ApacheWithTls]:
    server = ApacheWithTls(tmp_path_factory.mktemp("tls-apache"), certificate)
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def behind_tls(
    magnetar: MagnetarBehindTls, certificate: TlsFiles
) -> AsyncIterator[MagnetarBehindTls]:
    async with AsyncExitStack() as stack:
        await _proxies(stack, magnetar, certificate)
        yield magnetar


@pytest.fixture
async def behind_mutual_tls(
    magnetar: MagnetarBehindTls, certificate: TlsFiles
) -> AsyncIterator[MagnetarBehindTls]:
    async with AsyncExitStack() as stack:
        await _proxies(stack, magnetar, certificate, client_certificates=True)
        yield magnetar


async def _proxies(
    stack: AsyncExitStack,
    server: MagnetarBehindTls,
    files: TlsFiles,
    *,
    client_certificates: bool = False,
) -> None:
    for port, target in ((server.tls_port, server.port), (server.web_tls_port, server.web_port)):
        context = server_context(files, client_certificates=client_certificates)
        hosts = ("127.0.0.1", ELSEWHERE)
        await stack.enter_async_context(tls_proxy(context, port, target, hosts))


def urls(server: MagnetarBehindTls | ApacheWithTls, host: str = "localhost") -> list[str]:
    return [f"pulsar+ssl://{host}:{server.tls_port}", f"https://{host}:{server.web_tls_port}"]


async def hello_goes_through(client: Client, topic: str) -> None:
    consumer = await client.subscribe(topic, "sub")
    producer = await client.create_producer(topic)
    await producer.send(b"hello")
    message = await consumer.receive(timeout=30)
    await consumer.acknowledge(message)
    assert message.data() == b"hello"
    await consumer.close()


async def test_over_tls_to_whom_is_trusted_only(
    behind_tls: MagnetarBehindTls, certificate: TlsFiles, topic: str
) -> None:
    for url in urls(behind_tls):
        async with Client(url, tls_trust_certs_file_path=certificate.trusted) as client:
            await hello_goes_through(client, topic)
        async with Client(url, operation_timeout_seconds=0.5) as client:
            with pytest.raises(ConnectError, match="certificate verify failed"):
                await client.create_producer(topic)


async def test_a_certificate_must_name_the_host_unless_told_otherwise(
    behind_tls: MagnetarBehindTls, certificate: TlsFiles, topic: str
) -> None:
    for url in urls(behind_tls, ELSEWHERE):
        async with Client(
            url, tls_trust_certs_file_path=certificate.trusted, operation_timeout_seconds=0.5
        ) as client:
            with pytest.raises(ConnectError, match="IP address mismatch"):
                await client.create_producer(topic)
        async with Client(
            url, tls_trust_certs_file_path=certificate.trusted, tls_validate_hostname=False
        ) as client:
            await hello_goes_through(client, topic)


async def test_who_has_no_certificate_is_not_let_in(
    behind_mutual_tls: MagnetarBehindTls, certificate: TlsFiles, authority: Authority, topic: str
) -> None:
    own = authority.issue("client")
    for url in urls(behind_mutual_tls):
        async with Client(
            url, AuthenticationTLS(own.certificate, own.key), tls_trust_certs_file_path=own.trusted
        ) as client:
            await hello_goes_through(client, topic)
        async with Client(
            url, tls_trust_certs_file_path=certificate.trusted, operation_timeout_seconds=0.5
        ) as client:
            with pytest.raises(ConnectError):
                await client.create_producer(topic)


async def test_commands_check_the_name_too(
    behind_tls: MagnetarBehindTls, certificate: TlsFiles, topic: str
) -> None:
    url = urls(behind_tls)[0]
    code, output = await produce(url, topic, "--tls-trust-certs", certificate.trusted)
    assert code == 0, output
    url = urls(behind_tls, ELSEWHERE)[0]
    options = ("--tls-trust-certs", certificate.trusted, "--auth-token", "secret")
    code, output = await produce(url, topic, *options, hasty=True)
    assert code != 0
    assert "mismatch" in output
    code, output = await produce(url, topic, *options, "--tls-any-hostname")
    assert code == 0, output


HASTY = """
from functools import partial
from magnetar import Client
from magnetar_cli import client_options, main
client_options.Client = partial(Client, operation_timeout_seconds=1)
main.main()
"""
"""The command, but what cannot be is tried for a second instead of thirty."""


async def produce(
    url: str, topic: str, *options: str, hasty: bool = False
) -> tuple[int | None, str]:
    """`magnetar produce` of one message."""
    command = [str(Path(sys.executable).with_name("magnetar"))]
    if hasty:
        command = [sys.executable, "-c", HASTY]
    process = await asyncio.create_subprocess_exec(
        *command, "produce", topic, "-m", "x", "--url", url, *options,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await process.communicate()
    return process.returncode, output.decode()


@pytest.mark.interop
async def test_tokens(apache: ApacheWithTls, certificate: TlsFiles, topic: str) -> None:
    trusted = certificate.trusted
    for url in [*urls(apache), apache.service_url, apache.web_url]:
        good = AuthenticationToken(lambda: token_of("admin"))
        async with Client(url, good, tls_trust_certs_file_path=trusted) as client:
            await hello_goes_through(client, topic)
        for bad in (AuthenticationToken(token_of("admin", b"another secret")), None):
            async with Client(url, bad, tls_trust_certs_file_path=trusted) as client:
                with pytest.raises(AuthenticationError):
                    await client.create_producer(topic)


@pytest.mark.interop
async def test_a_client_certificate_is_a_role(
    apache: ApacheWithTls, authority: Authority, topic: str
) -> None:
    own = authority.issue("admin")
    for url in urls(apache):
        who = AuthenticationTLS(own.certificate, own.key)
        async with Client(url, who, tls_trust_certs_file_path=own.trusted) as client:
            await hello_goes_through(client, topic)
        async with Client(url, who, operation_timeout_seconds=0.5) as client:
            with pytest.raises(ConnectError, match="certificate verify failed"):
                await client.create_producer(topic)
