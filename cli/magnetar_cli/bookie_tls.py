"""Who may use a bookie, as configured; and what it shows when it reads from others."""

import asyncio
import logging
from functools import partial

from magnetar_ledger.network import BookieNetworkConfig
from magnetar_runtime.errors import ConfError
from magnetar_runtime.scope import TaskScope, periodically
from magnetar_runtime.settings_tls import BookieTlsSettings
from magnetar_runtime.tls import client_context, load_certificate, server_context
from magnetar_storage.service.security import ServiceSecurity

log = logging.getLogger(__name__)


def service_security(settings: BookieTlsSettings) -> ServiceSecurity:
    """What the port asks of clients.

    Raises:
        ConfError: a file cannot be used.
    """
    if not settings.tls_enabled:
        return ServiceSecurity()
    versions = [each.strip() for each in settings.tls_enabled_protocols.split(",") if each.strip()]
    context = server_context(
        settings.tls_files,
        client_certificates=settings.tls_client_authentication,
        versions=versions,
    )
    return ServiceSecurity(context, settings.roles)


def bookie_network(settings: BookieTlsSettings) -> BookieNetworkConfig:
    """How a bookie's scrubber and auto-recovery speak to other bookies.

    Raises:
        ConfError: a file cannot be used.
    """
    files, verify = settings.client_tls_files, settings.tls_hostname_verification
    tls = None if files is None else client_context(files, verify_hostname=verify)
    return BookieNetworkConfig(tls=tls)


def renew_certificate(
    scope: TaskScope, settings: BookieTlsSettings, security: ServiceSecurity
) -> None:
    """Read the certificate again and again, if that is wanted."""
    if security.tls is not None and settings.tls_refresh_s:
        load = partial(load_certificate, security.tls, settings.tls_files)

        async def renew() -> None:
            try:
                await asyncio.to_thread(load)
            except ConfError as error:
                log.warning("the certificate stays as it was: %s", error)

        periodically(scope, settings.tls_refresh_s * 1000, renew, "certificate")
