"""When bundles are moved and split by load; names and defaults are Pulsar's (`loadBalancer...`)."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class ShedOptions:
    """When a broker is to leave bundles to others.

    Attributes:
        enabled: (`...SheddingEnabled`).
        interval_ms: The leader looks so often (`...SheddingIntervalMinutes`).
        grace_ms: A bundle that was moved stays for so long (`...SheddingGracePeriodMinutes`).
        threshold: So far above the average, 0 to 1, is too much
            (`...BrokerThresholdShedderPercentage`).
        history_share: The part of the past in a broker's usage (`...HistoryResourcePercentage`).
        least_bytes_per_s: Nothing is done for less (`...BundleUnloadMinThroughputThreshold`).
        cpu_weight, in_weight, out_weight: What counts how much (`...ResourceWeight`).
    """

    enabled: bool = True
    interval_ms: int = 60_000
    grace_ms: int = 30 * 60_000
    threshold: float = 0.10
    history_share: float = 0.9
    least_bytes_per_s: float = 10.0 * (1 << 20)
    cpu_weight: float = 1.0
    in_weight: float = 1.0
    out_weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitOptions:
    """When a bundle is too large.

    Attributes:
        enabled: (`...AutoBundleSplitEnabled`).
        unload: Its parts may go to other brokers (`...AutoUnloadSplitBundlesEnabled`).
        max_topics, max_sessions, max_rate: Of a bundle; sessions are producers and consumers, the
            rate is of messages in and out (`...NamespaceBundleMax...`).
        max_bytes_per_s: In and out (`...NamespaceBundleMaxBandwidthMbytes`).
        max_bundles: Of a namespace (`...NamespaceMaximumBundles`).
    """

    enabled: bool = True
    unload: bool = True
    max_topics: int = 1_000
    max_sessions: int = 1_000
    max_rate: float = 30_000.0
    max_bytes_per_s: float = 100.0 * (1 << 20)
    max_bundles: int = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceOptions:
    """What the leader does by load.

    Attributes:
        enabled: (`loadBalancerEnabled`).
        overloaded: A broker of which more is in use, 0 to 1, gets a bundle only if all are so
            (`...BrokerOverloadedThresholdPercentage`).
    """

    enabled: bool = True
    overloaded: float = 0.85
    shed: ShedOptions = field(default_factory=ShedOptions)
    split: SplitOptions = field(default_factory=SplitOptions)
