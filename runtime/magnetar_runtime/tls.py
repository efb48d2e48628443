"""TLS: contexts from PEM files, and the change to it on a connection that began in clear."""

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from magnetar_runtime.errors import ConfError

_VERSIONS: Final = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where the PEM files are; empty if there is none.

    Attributes:
        certificate: with those that it was issued by, up to the one that others trust.
        key: of the certificate.
        key_password: a file whose text opens the key.
        trusted: certificates by which those of others must have been issued.
    """

    certificate: str = ""
    key: str = ""
    key_password: str = ""
    trusted: str = ""


def server_context(
    files: TlsFiles, *, client_certificates: bool = False, versions: Sequence[str] = ()
) -> ssl.SSLContext:
    """What a server says and asks for.

    Args:
        client_certificates: clients must show one that `files.trusted` has issued.
        versions: of `TLSv1.2` and `TLSv1.3`; empty: both.

    Raises:
        ConfError: a file cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version, context.maximum_version = _bounds(versions)
    if client_certificates:
        context.verify_mode = ssl.CERT_REQUIRED
        _trust(context, files)
    load_certificate(context, files)
    return context


def client_context(files: TlsFiles, *, verify_hostname: bool = False) -> ssl.SSLContext:
    """What a client says and asks for; it shows a certificate if there is one.

    Args:
        verify_hostname: the server's certificate must name the host that is connected to.

    Raises:
        ConfError: a file cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = verify_hostname
    _trust(context, files)
    if files.certificate:
        load_certificate(context, files)
    return context


def load_certificate(context: ssl.SSLContext, files: TlsFiles) -> None:
    """Show this certificate from the next handshake on.

    Raises:
        ConfError: a file cannot be used.
    """
    try:
        password = Path(files.key_password).read_text().strip() if files.key_password else None
        # Without a password OpenSSL would ask at the terminal.
        context.load_cert_chain(files.certificate, files.key or None, password or _no_password)
    except (OSError, UnicodeDecodeError) as error:
        names = ", ".join(filter(None, (files.certificate, files.key, files.key_password)))
        raise ConfError("TLS", f"{names}: {error}") from error


def _no_password() -> str:
    return ""


def _trust(context: ssl.SSLContext, files: TlsFiles) -> None:
    try:
        context.load_verify_locations(files.trusted)
    except OSError as error:
        raise ConfError("TLS", f"{files.trusted}: {error}") from error


def _bounds(versions: Sequence[str]) -> tuple[ssl.TLSVersion, ssl.TLSVersion]:
    known = [_VERSIONS[name] for name in versions if name in _VERSIONS]
    if versions and not known:
        raise ConfError("TLS", f"none of {', '.join(versions)} is TLSv1.2 or TLSv1.3")
    return min(known, default=ssl.TLSVersion.TLSv1_2), max(known, default=ssl.TLSVersion.TLSv1_3)


async def start_tls(
    transport: asyncio.Transport,
    protocol: asyncio.BaseProtocol,
    context: ssl.SSLContext,
    *,
    server_side: bool,
    timeout_ms: int,
    host: str | None = None,
) -> asyncio.Transport:
    """Go on encrypted; the protocol writes to what is returned from now on.

    Nothing may be written meanwhile. The protocol may receive before this returns.

    Args:
        host: what the server's certificate must name, if the context asks for that.

    Raises:
        OSError: no agreement, or not in time; the connection is closed, and the protocol is not
            told so.
    """
    upgraded = await asyncio.get_running_loop().start_tls(
        transport,
        protocol,
        context,
        server_side=server_side,
        server_hostname=host,
        ssl_handshake_timeout=timeout_ms / 1000,
    )
    if upgraded is None:
        raise ConnectionResetError("the connection ended within the handshake")
    return upgraded
