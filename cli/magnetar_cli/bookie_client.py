"""How the commands speak to bookies: TLS by the keys of a bookkeeper.conf."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from magnetar_ledger.network import BookieNetworkConfig
from magnetar_runtime.conf import from_assignments, keys_of, warn_of_unknown
from magnetar_runtime.errors import ConfError
from magnetar_runtime.settings_bookie import BookieServiceSettings
from magnetar_runtime.settings_tls import BookieTlsSettings

from magnetar_cli.bookie_tls import bookie_network
from magnetar_cli.exits import WrongSettingsError
from magnetar_cli.service_options import load_settings, with_options


@dataclass(frozen=True, kw_only=True)
class BookieClientSettings(BookieTlsSettings):
    """The keys that say how to speak to bookies."""

    def __post_init__(self) -> None:
        self.check_client_tls()


def bookie_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--config` and `--set`; the command gets them as `network`."""
    options = (
        click.option(
            "--config",
            "config_file",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="A bookkeeper.conf whose TLS keys say how to speak to bookies.",
        ),
        click.option(
            "--set", "assignments", multiple=True, metavar="KEY=VALUE", help="One key of it."
        ),
    )

    @functools.wraps(command)
    def with_network(
        *args: Any, config_file: Path | None, assignments: Sequence[str], **others: Any
    ) -> Any:
        return command(*args, network=network_config(config_file, assignments), **others)

    return with_options(with_network, options)


def network_config(config_file: Path | None, assignments: Sequence[str]) -> BookieNetworkConfig:
    """What the file, the environment and `--set` say, the later one counts. Of a bookie's file all
    other keys are passed over.

    Raises:
        WrongSettingsError
    """
    settings, others = load_settings(BookieClientSettings, config_file, assignments)
    known = {row.key for row in keys_of(BookieServiceSettings)}
    given = from_assignments(assignments)
    warn_of_unknown([key for key in others if key in given and key not in known])
    try:
        return bookie_network(settings)
    except (ConfError, OSError) as error:
        raise WrongSettingsError(str(error)) from error
