"""`magnetar autorecovery`: options in, a running auto-recovery, an exit code out."""

from collections.abc import Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import click
from magnetar_runtime.clock import SystemClock
from magnetar_runtime.logging import setup_logging
from magnetar_runtime.settings_bookie import BookieServiceSettings

from magnetar_cli.collector import imports_for_good
from magnetar_cli.metadata_access import check_metadata_uri
from magnetar_cli.service_options import config_options, read_settings, readiness_teller


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@config_options("A bookkeeper.conf.")
def command(
    config_file: Path | None, assignments: Sequence[str], output: str, log_level: str
) -> None:
    """Find ledgers that lack replicas, and copy what is missing.

    Runs a candidate for the cluster's auditor and a replication worker, as BookKeeper's process of
    this name; a bookie with autoRecoveryDaemonEnabled=true does the same in its own process. Any
    number may run in a cluster, beside Apache's.

    Keys of bookkeeper.conf are taken from --config, the environment (bare or with PULSAR_PREFIX_)
    and --set; the later one counts.

    Ends with 0 after SIGTERM or SIGINT (a second one kills it), 1 if it cannot go on, 2 if the
    configuration is wrong.
    """
    began_ns = SystemClock().monotonic_ns()
    setup_logging(log_level.upper(), json=output == "json")
    settings = read_settings(BookieServiceSettings, config_file, assignments)

    run_auto_recovery(settings, began_ns, readiness_teller(output))


def run_auto_recovery(
    settings: BookieServiceSettings,
    began_ns: int,
    ready: Callable[[str, dict[str, Any]], None],
) -> None:
    """Work until SIGTERM or SIGINT; see `run_service`.

    Raises:
        WrongSettingsError: what is configured names no metadata store.
    """
    # Imports of the services take longer than all the rest of a wrong command line.
    with imports_for_good():
        from magnetar_cli.auto_recovery import open_auto_recovery
        from magnetar_cli.serve import OnFailure, Serving, run_service

    check_metadata_uri(settings)

    @asynccontextmanager
    async def opening(failed: OnFailure, before_serving: Callable[[], None]) -> Any:
        async with open_auto_recovery(settings, failed, before_serving) as service:
            urls = [f"http://{address}" for address in service.web_addresses]
            facts = {"auto-recovery": service.bookie_id, "metadata": settings.metadata_url}
            yield Serving(urls, service.web_addresses, facts)

    run_service("autorecovery", opening, began_ns, ready)
