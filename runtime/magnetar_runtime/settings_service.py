"""The keys of `broker.conf` that only a broker with bookies and metadata elsewhere has."""

from dataclasses import dataclass
from typing import Final

from magnetar_runtime.conf import setting
from magnetar_runtime.errors import ConfError
from magnetar_runtime.settings import ServiceSettings
from magnetar_runtime.tls import TlsFiles

_ALL: Final = "0.0.0.0"  # noqa: S104 - Pulsar's default


@dataclass(frozen=True, kw_only=True)
class BrokerServiceSettings(ServiceSettings):
    """Settings of `magnetar broker`."""

    bind_address: str = setting("bindAddress", _ALL, "Address to listen on.")
    advertised_address: str = setting(
        "advertisedAddress", "", "Host name in answers to lookups; empty: that of the machine."
    )
    cluster_name: str = setting("clusterName", "", "Name of the cluster; needed.")

    metadata_store_url: str = setting(
        "metadataStoreUrl", "", "Where topics and policies are: zk:HOST:PORT[,HOST:PORT][/ROOT]."
    )
    zookeeper_servers: str = setting(
        "zookeeperServers", "", "The older form of metadataStoreUrl: HOST:PORT[,HOST:PORT][/ROOT]."
    )
    bookkeeper_metadata_uri: str = setting(
        "bookkeeperMetadataServiceUri", "", "Where the bookies are, if it is another path there."
    )
    metadata_session_timeout_ms: int = setting(
        "metadataStoreSessionTimeoutMillis", 30_000, "Of the session with ZooKeeper."
    )
    ensemble_size: int = setting(
        "managedLedgerDefaultEnsembleSize", 2, "Bookies that share the entries of a ledger."
    )
    write_quorum: int = setting("managedLedgerDefaultWriteQuorum", 2, "Copies of each entry.")
    ack_quorum: int = setting(
        "managedLedgerDefaultAckQuorum", 2, "Copies on disk before a send is acknowledged."
    )
    load_report_min_interval_ms: int = setting(
        "loadBalancerReportUpdateMinIntervalMillis", 5_000, "A changed load is told so often."
    )
    load_report_max_interval_minutes: int = setting(
        "loadBalancerReportUpdateMaxIntervalMinutes", 15, "An unchanged one is told so often."
    )
    load_balancer: bool = setting(
        "loadBalancerEnabled", True, "The leader moves and splits bundles by load."
    )
    shedding: bool = setting("loadBalancerSheddingEnabled", True, "It moves them.")
    shedding_interval_minutes: float = setting(
        "loadBalancerSheddingIntervalMinutes", 1.0, "How often it looks."
    )
    shedding_grace_minutes: float = setting(
        "loadBalancerSheddingGracePeriodMinutes", 30.0, "A bundle stays where it was moved to."
    )
    shedding_threshold_percent: float = setting(
        "loadBalancerBrokerThresholdShedderPercentage", 10.0, "Above the average: too much."
    )
    shedding_history_share: float = setting(
        "loadBalancerHistoryResourcePercentage", 0.9, "The part of the past in a broker's usage."
    )
    shedding_least_mb: float = setting(
        "loadBalancerBundleUnloadMinThroughputThreshold", 10.0, "MB/s; nothing moves for less."
    )
    cpu_weight: float = setting("loadBalancerCPUResourceWeight", 1.0, "How much it counts.")
    bandwidth_in_weight: float = setting(
        "loadBalancerBandwidthInResourceWeight", 1.0, "How much it counts."
    )
    bandwidth_out_weight: float = setting(
        "loadBalancerBandwidthOutResourceWeight", 1.0, "How much it counts."
    )
    overloaded_percent: float = setting(
        "loadBalancerBrokerOverloadedThresholdPercentage", 85.0, "Such a broker gets no bundle."
    )
    interface_gbps: float | None = setting(
        "loadBalancerOverrideBrokerNicSpeedGbps", None, "Of each interface; empty: as it says."
    )
    host_root: str = setting(
        "loadBalancerHostRoot",
        "/",
        "Load is read of its proc and sys: a host's, from a container, with proc/1/net/dev.",
    )
    bundle_split: bool = setting(
        "loadBalancerAutoBundleSplitEnabled", True, "The leader splits bundles that are too large."
    )
    bundle_split_unload: bool = setting(
        "loadBalancerAutoUnloadSplitBundlesEnabled", True, "Their parts may go to others."
    )
    bundle_max_topics: int = setting("loadBalancerNamespaceBundleMaxTopics", 1_000, "Of a bundle.")
    bundle_max_sessions: int = setting(
        "loadBalancerNamespaceBundleMaxSessions", 1_000, "Producers and consumers of a bundle."
    )
    bundle_max_rate: int = setting(
        "loadBalancerNamespaceBundleMaxMsgRate", 30_000, "Messages per second in and out."
    )
    bundle_max_mb: int = setting(
        "loadBalancerNamespaceBundleMaxBandwidthMbytes", 100, "MB per second in and out."
    )
    namespace_max_bundles: int = setting(
        "loadBalancerNamespaceMaximumBundles", 128, "More are not made by load."
    )
    use_v2_wire_protocol: bool = setting(
        "bookkeeperUseV2WireProtocol", True, "What is spoken to bookies; else version 3."
    )
    bookies_tls: bool = setting(
        "bookkeeperTLSClientAuthentication",
        False,
        "TLS with bookies, certificates on both sides.",
    )
    bookies_tls_key_type: str = setting("bookkeeperTLSKeyFileType", "PEM", "Only PEM here.")
    bookies_tls_trust_type: str = setting("bookkeeperTLSTrustCertTypes", "PEM", "Only PEM here.")
    bookies_tls_key: str = setting("bookkeeperTLSKeyFilePath", "", "The key of the certificate.")
    bookies_tls_key_password: str = setting(
        "bookkeeperTLSKeyStorePasswordPath", "", "A file with the password of the key."
    )
    bookies_tls_certificate: str = setting(
        "bookkeeperTLSCertificateFilePath", "", "What the broker shows to bookies."
    )
    bookies_tls_trusted: str = setting(
        "bookkeeperTLSTrustCertsFilePath", "", "Who must have issued the certificates of bookies."
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.cluster_name:
            raise ConfError("clusterName", "is needed")
        if not (self.metadata_store_url or self.zookeeper_servers):
            raise ConfError("metadataStoreUrl", "is needed: zk:HOST:PORT")
        if self.load_report_min_interval_ms < 1:
            raise ConfError("loadBalancerReportUpdateMinIntervalMillis", "is less than 1")
        if self.shedding_interval_minutes <= 0:
            raise ConfError("loadBalancerSheddingIntervalMinutes", "is not above 0")
        if not 0 <= self.shedding_history_share <= 1:
            raise ConfError("loadBalancerHistoryResourcePercentage", "is not between 0 and 1")
        if self.web_service_port is None:
            raise ConfError("webServicePort", "is needed: brokers know each other by it")
        if not self.ensemble_size >= self.write_quorum >= self.ack_quorum >= 1:
            raise ConfError(
                "managedLedgerDefaultEnsembleSize",
                "ensemble size, write quorum and ack quorum may not grow in this order",
            )
        if self.bookies_tls:
            self._check_tls()

    @property
    def quorums(self) -> tuple[int, int, int]:
        return (self.ensemble_size, self.write_quorum, self.ack_quorum)

    def _check_tls(self) -> None:
        for key, value in (
            ("bookkeeperTLSKeyFileType", self.bookies_tls_key_type),
            ("bookkeeperTLSTrustCertTypes", self.bookies_tls_trust_type),
        ):
            if value != "PEM":
                raise ConfError(key, f"{value} is not read here, only PEM")
        for key, value in (
            ("bookkeeperTLSKeyFilePath", self.bookies_tls_key),
            ("bookkeeperTLSCertificateFilePath", self.bookies_tls_certificate),
            ("bookkeeperTLSTrustCertsFilePath", self.bookies_tls_trusted),
        ):
            if not value:
                raise ConfError(key, "TLS with bookies needs this file")

    @property
    def bookies_tls_files(self) -> TlsFiles:
        """What is shown to bookies and asked of them."""
        return TlsFiles(
            self.bookies_tls_certificate,
            self.bookies_tls_key,
            self.bookies_tls_key_password,
            self.bookies_tls_trusted,
        )

    @property
    def metadata_url(self) -> str:
        """As `magnetar_metadata.metadata_url` reads it."""
        return self.metadata_store_url or f"zk:{self.zookeeper_servers}"
