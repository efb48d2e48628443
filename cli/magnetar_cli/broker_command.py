"""`magnetar broker`: options in, a running broker on a cluster, an exit code out."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from magnetar_runtime.clock import SystemClock
from magnetar_runtime.conf import from_assignments, from_environment, load, read_conf
from magnetar_runtime.conf import warn_of_unknown as warn_of_unknown_keys
from magnetar_runtime.errors import ConfError
from magnetar_runtime.logging import setup_logging
from magnetar_runtime.settings_service import BrokerServiceSettings

from magnetar_cli.collector import imports_for_good
from magnetar_cli.exits import WrongSettingsError


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    "config_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A broker.conf of Pulsar.",
)
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="One key of it.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    help="Form of the readiness line and of the log.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="warning",
    show_default=True,
)
def command(
    config_file: Path | None, assignments: Sequence[str], output: str, log_level: str
) -> None:
    """Run a broker on bookies and a ZooKeeper elsewhere.

    Needed are clusterName and metadataStoreUrl (zk:HOST:PORT), of a cluster that `magnetar cluster
    init` or Pulsar has made. Keys are taken from --config, the environment (bare or with
    PULSAR_PREFIX_) and --set; the later one counts. Brokers of one cluster share its topics; each
    needs an advertisedAddress and webServicePort of its own.

    Ends with 0 after SIGTERM or SIGINT (a second one kills it), 1 if it cannot go on, 2 if the
    configuration is wrong.
    """
    began_ns = SystemClock().monotonic_ns()
    setup_logging(log_level.upper(), json=output == "json")
    settings = _settings(config_file, assignments)

    # Imports of the services take longer than all the rest of a wrong command line.
    with imports_for_good():
        from magnetar_cli.broker_service import run_broker

    def ready(line: str, facts: dict[str, Any]) -> None:
        click.echo(json.dumps(facts) if output == "json" else line)

    run_broker(settings, began_ns, ready)


def _settings(config_file: Path | None, assignments: Sequence[str]) -> BrokerServiceSettings:
    values: dict[str, str] = {}
    try:
        if config_file is not None:
            values.update(read_conf(config_file.read_text()))
        values.update(from_environment(BrokerServiceSettings, os.environ))
        values.update(from_assignments(assignments))
        settings, unknown = load(BrokerServiceSettings, values)
    except (ConfError, UnicodeDecodeError, OSError) as error:
        raise WrongSettingsError(str(error)) from error
    warn_of_unknown_keys(unknown)
    return settings
