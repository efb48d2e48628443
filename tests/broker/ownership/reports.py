"""Load reports of brokers, as tests want them."""

from collections.abc import Mapping

from magnetar_metadata.broker_addresses import BrokerAddresses, Urls
from magnetar_metadata.load_report import BundleLoad, LoadReport, Usage

MIB = float(1 << 20)


def bundle(number: int, namespace: str = "public/default") -> str:
    """The full name of one of 256 bundles."""
    return f"{namespace}/0x{number:02x}000000_0x{number + 1:02x}000000"


def report_of(usage: float, throughputs: Mapping[str, float]) -> LoadReport:
    """Of a broker: how much of its processor is in use, and bytes per second of its bundles."""
    return LoadReport(
        addresses=BrokerAddresses(urls=Urls()),
        cpu=Usage(usage * 200.0, 200.0),
        bundles={
            name: BundleLoad(topics=1, throughput_in=each) for name, each in throughputs.items()
        },
    )
