"""`magnetar broker`: options in, a running broker on a cluster, an exit code out."""

from collections.abc import Sequence
from pathlib import Path

import click
from magnetar_runtime.clock import SystemClock
from magnetar_runtime.logging import setup_logging
from magnetar_runtime.settings_service import BrokerServiceSettings

from magnetar_cli.collector import imports_for_good
from magnetar_cli.service_options import config_options, read_settings, readiness_teller


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@config_options("A broker.conf of Pulsar.")
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
    settings = read_settings(BrokerServiceSettings, config_file, assignments)

    # Imports of the services take longer than all the rest of a wrong command line.
    with imports_for_good():
        from magnetar_cli.broker_service import run_broker

    run_broker(settings, began_ns, readiness_teller(output))
