"""What a broker says of itself and its load in its registration: Pulsar's LocalBrokerData.

What is not measured here stands there as 0, or as an unlimited resource, so that Pulsar's brokers
and tools read it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from magnetar_metadata.broker_addresses import BrokerAddresses, Urls, listeners_from_json

LOAD_MANAGER: Final = "org.apache.pulsar.broker.loadbalance.impl.ModularLoadManagerImpl"
"""Brokers of one cluster have to agree on it; ours works with the nodes of this one."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Of a resource; in percent for the processor, mebibytes for memory, kilobits/s for network."""

    usage: float = 0.0
    limit: float = 0.0

    def to_json(self) -> dict[str, float]:
        return {"usage": self.usage, "limit": self.limit}

    @classmethod
    def from_json(cls, record: Any) -> Self:
        record = record or {}
        return cls(float(record.get("usage") or 0), float(record.get("limit") or 0))

    @property
    def share(self) -> float:
        """How much of it is in use, 0 to 1; 0 if nobody knows the limit."""
        return self.usage / self.limit if self.limit > 0 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleLoad:
    """Of one bundle. Rates are per second."""

    topics: int = 0
    producers: int = 0
    consumers: int = 0
    rate_in: float = 0.0
    rate_out: float = 0.0
    throughput_in: float = 0.0
    throughput_out: float = 0.0
    cache_size: int = 0

    @property
    def throughput(self) -> float:
        """Bytes in and out."""
        return self.throughput_in + self.throughput_out

    def to_json(self) -> dict[str, Any]:
        return {
            "msgRateIn": self.rate_in,
            "msgThroughputIn": self.throughput_in,
            "msgRateOut": self.rate_out,
            "msgThroughputOut": self.throughput_out,
            "consumerCount": self.consumers,
            "producerCount": self.producers,
            "topics": self.topics,
            "cacheSize": self.cache_size,
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            topics=int(record.get("topics") or 0),
            producers=int(record.get("producerCount") or 0),
            consumers=int(record.get("consumerCount") or 0),
            rate_in=float(record.get("msgRateIn") or 0),
            rate_out=float(record.get("msgRateOut") or 0),
            throughput_in=float(record.get("msgThroughputIn") or 0),
            throughput_out=float(record.get("msgThroughputOut") or 0),
            cache_size=int(record.get("cacheSize") or 0),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadReport:
    """The value of a broker's registration node.

    Attributes:
        bundles: What it serves, by full names of bundles.
        updated_ms, started_ms: Wall clock.
    """

    addresses: BrokerAddresses
    bundles: Mapping[str, BundleLoad] = field(default_factory=dict)
    cpu: Usage = Usage()
    memory: Usage = Usage()
    bandwidth_in: Usage = Usage()
    bandwidth_out: Usage = Usage()
    version: str = ""
    persistent_topics: bool = True
    non_persistent_topics: bool = True
    updated_ms: int = 0
    started_ms: int = 0

    @property
    def broker_id(self) -> str:
        """As the node is named."""
        return self.addresses.urls.web.rpartition("//")[2]

    @property
    def rate(self) -> float:
        """Messages in and out per second."""
        return sum(each.rate_in + each.rate_out for each in self.bundles.values())

    @property
    def throughput(self) -> float:
        """Bytes in and out per second."""
        return sum(each.throughput for each in self.bundles.values())

    @property
    def max_usage(self) -> float:
        """How much is in use of that of which there is least left, 0 to 1.

        Memory does not count, as in Pulsar: what a process takes of it says little of its load.
        """
        return max(self.cpu.share, self.bandwidth_in.share, self.bandwidth_out.share)

    def to_json(self) -> dict[str, Any]:
        urls, loads = self.addresses.urls, list(self.bundles.values())
        named = {
            "webServiceUrl": urls.web,
            "webServiceUrlTls": urls.web_tls,
            "pulsarServiceUrl": urls.broker,
            "pulsarServiceUrlTls": urls.broker_tls,
        }
        unlimited = Usage(0.0, 0.0).to_json()
        return {
            **{key: url for key, url in named.items() if url},
            "persistentTopicsEnabled": self.persistent_topics,
            "nonPersistentTopicsEnabled": self.non_persistent_topics,
            "cpu": self.cpu.to_json(),
            "memory": self.memory.to_json(),
            "directMemory": unlimited,
            "bandwidthIn": self.bandwidth_in.to_json(),
            "bandwidthOut": self.bandwidth_out.to_json(),
            "msgThroughputIn": sum(each.throughput_in for each in loads),
            "msgThroughputOut": sum(each.throughput_out for each in loads),
            "msgRateIn": sum(each.rate_in for each in loads),
            "msgRateOut": sum(each.rate_out for each in loads),
            "lastUpdate": self.updated_ms,
            "lastStats": {name: load.to_json() for name, load in self.bundles.items()},
            "numTopics": sum(each.topics for each in loads),
            "numBundles": len(loads),
            "numConsumers": sum(each.consumers for each in loads),
            "numProducers": sum(each.producers for each in loads),
            "bundles": list(self.bundles),
            "lastBundleGains": [],
            "lastBundleLosses": [],
            "brokerVersionString": self.version,
            "protocols": {},
            "advertisedListeners": self.addresses.listeners_to_json(),
            "loadManagerClassName": LOAD_MANAGER,
            "startTimestamp": self.started_ms,
            "maxResourceUsage": self.max_usage,
            "loadReportType": "LocalBrokerData",
        }

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Self:
        urls = Urls(
            broker=record.get("pulsarServiceUrl") or "",
            broker_tls=record.get("pulsarServiceUrlTls") or "",
            web=record.get("webServiceUrl") or "",
            web_tls=record.get("webServiceUrlTls") or "",
        )
        listeners = listeners_from_json(record.get("advertisedListeners"))
        stats = record.get("lastStats") or {}
        bundles = {name: BundleLoad() for name in record.get("bundles") or ()}
        bundles |= {name: BundleLoad.from_json(each) for name, each in stats.items()}
        return cls(
            addresses=BrokerAddresses(urls=urls, listeners=listeners),
            bundles=bundles,
            cpu=Usage.from_json(record.get("cpu")),
            memory=Usage.from_json(record.get("memory")),
            bandwidth_in=Usage.from_json(record.get("bandwidthIn")),
            bandwidth_out=Usage.from_json(record.get("bandwidthOut")),
            version=record.get("brokerVersionString") or "",
            persistent_topics=bool(record.get("persistentTopicsEnabled", True)),
            non_persistent_topics=bool(record.get("nonPersistentTopicsEnabled", True)),
            updated_ms=int(record.get("lastUpdate") or 0),
            started_ms=int(record.get("startTimestamp") or 0),
        )
