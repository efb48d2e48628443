"""Running a bookie as a process; imported only when one is to run."""

from collections.abc import Callable
from contextlib import asynccontextmanager
from typing import Any

from magnetar_runtime.settings_bookie import BookieServiceSettings

from magnetar_cli.bookie import open_bookie_service
from magnetar_cli.metadata_access import check_metadata_uri
from magnetar_cli.serve import OnFailure, Ready, Serving, run_service


def run_bookie(settings: BookieServiceSettings, began_ns: int, ready: Ready) -> None:
    """Serve a bookie until SIGTERM or SIGINT; see `run_service`.

    Raises:
        WrongSettingsError: what is configured names no metadata store.
    """
    check_metadata_uri(settings)

    @asynccontextmanager
    async def opening(failed: OnFailure, before_serving: Callable[[], None]) -> Any:
        async with open_bookie_service(settings, failed, before_serving) as service:
            urls = [f"http://{address}" for address in service.web_addresses]
            listening = sorted({*service.addresses, *service.web_addresses})
            yield Serving(
                [f"bookie://{service.addresses[0]}", *urls],
                listening,
                {"bookie": service.bookie_id, "metadata": settings.metadata_url},
            )

    run_service("bookie", opening, began_ns, ready)
