"""Certificates of a bookie as configured, and their renewal."""

import asyncio
import shutil
import ssl
from pathlib import Path
from typing import Any

import pytest
from magnetar_cli.bookie_tls import bookie_network, renew_certificate, service_security
from magnetar_runtime.errors import ConfError
from magnetar_runtime.scope import TaskScope
from magnetar_runtime.settings_bookie import BookieServiceSettings
from magnetar_runtime.settings_tls import ROLES_FACTORY, TLS_FACTORY
from magnetar_runtime.tls import TlsFiles

from tests.certificates import Authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.make(tmp_path_factory.mktemp("certificates"))


def settings_of(files: TlsFiles, **more: Any) -> BookieServiceSettings:
    values: dict[str, Any] = {
        "tls_provider_factory": TLS_FACTORY,
        "tls_key_store_type": "PEM",
        "tls_trust_store_type": "PEM",
        "tls_certificate": files.certificate,
        "tls_key_store": files.key,
        "tls_trust_store": files.trusted,
    }
    return BookieServiceSettings(**{**values, **more})


def test_nothing_is_asked_for_by_default() -> None:
    security = service_security(BookieServiceSettings())
    assert (security.tls, security.roles) == (None, frozenset())


def test_certificates_and_roles_of_clients(authority: Authority) -> None:
    files = authority.issue("server")
    security = service_security(settings_of(files, tls_enabled_protocols="TLSv1.3"))
    assert security.tls is not None
    assert security.tls.verify_mode is ssl.CERT_NONE
    assert security.tls.minimum_version is ssl.TLSVersion.TLSv1_3
    strict = service_security(
        settings_of(
            files,
            tls_client_authentication=True,
            auth_provider=ROLES_FACTORY,
            authorized_roles="writer",
        )
    )
    assert strict.tls is not None
    assert strict.tls.verify_mode is ssl.CERT_REQUIRED
    assert strict.roles == {"writer"}


def test_others_are_spoken_to_as_they_want_it(authority: Authority) -> None:
    files = authority.issue("server")
    assert bookie_network(BookieServiceSettings()).tls is None
    tls = bookie_network(settings_of(files)).tls
    assert tls is not None
    assert not tls.check_hostname
    tls = bookie_network(settings_of(files, tls_hostname_verification=True)).tls
    assert tls is not None
    assert tls.check_hostname


def test_a_file_that_is_not_there_is_named(authority: Authority) -> None:
    files = authority.issue("server")
    with pytest.raises(ConfError, match="/missing"):
        service_security(settings_of(files, tls_certificate="/missing.pem"))


async def test_a_certificate_is_read_again(
    authority: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = authority.issue("first"), authority.issue("second")
    files = TlsFiles(str(tmp_path / "pem"), str(tmp_path / "key"), "", first.trusted)

    def install(source: TlsFiles) -> None:
        shutil.copy(source.key, files.key)
        shutil.copy(source.certificate, files.certificate)

    install(first)
    settings = settings_of(files, tls_refresh_s=1)
    object.__setattr__(settings, "tls_refresh_s", 0.01)
    security = service_security(settings)
    assert security.tls is not None
    async with TaskScope() as scope:
        renew_certificate(scope, settings, security)
        assert await shown(security.tls) == cert_bytes(first)
        install(second)
        while await shown(security.tls) != cert_bytes(second):
            await asyncio.sleep(0.01)
        Path(files.certificate).unlink()
        while "stays as it was" not in caplog.text:
            await asyncio.sleep(0.01)
        assert await shown(security.tls) == cert_bytes(second)
        for task in list(scope._tasks):
            task.cancel()


async def shown(context: ssl.SSLContext) -> bytes | None:
    """What a server with this context shows."""
    server = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client)
    found: bytes | None = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    server.close()
    return found


def cert_bytes(files: TlsFiles) -> bytes:
    return ssl.PEM_cert_to_DER_cert(Path(files.certificate).read_text())
