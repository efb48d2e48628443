"""The table of known keys: Pulsar's names and defaults, and what becomes of them."""

import dataclasses

import pytest
from magnetar_runtime import conf
from magnetar_runtime.errors import ConfError
from magnetar_runtime.limits import Limits
from magnetar_runtime.settings import StandaloneSettings

PULSAR_DEFAULTS = {
    "brokerServicePort": 6650,
    "webServicePort": 8080,
    "keepAliveIntervalSeconds": 30,
    "connectionLivenessCheckTimeoutMillis": 5000,
    "maxMessageSize": 5_242_880,
    "maxPendingPublishRequestsPerConnection": 1000,
    "maxMessagePublishBufferSizeInMB": 256,
    "allowAutoTopicCreation": True,
    "allowAutoTopicCreationType": "non-partitioned",
    "defaultNumPartitions": 1,
    "managedLedgerMaxEntriesPerLedger": 50_000,
    "managedLedgerMinLedgerRolloverTimeMinutes": 10,
    "managedLedgerMaxLedgerRolloverTimeMinutes": 240,
    "managedLedgerMaxSizePerLedgerMbytes": 2048,
    "managedLedgerCursorMaxEntriesPerLedger": 50_000,
    "managedLedgerCursorRolloverTimeInSeconds": 14_400,
    "managedLedgerDefaultMarkDeleteRateLimit": 1.0,
    "managedLedgerCursorPositionFlushSeconds": 60,
    "defaultRetentionTimeInMinutes": 0,
    "defaultRetentionSizeInMB": 0,
    "retentionCheckIntervalInSeconds": 120,
    "dispatcherMaxRoundRobinBatchSize": 20,
    "maxUnackedMessagesPerConsumer": 50_000,
    "maxUnackedMessagesPerSubscription": 200_000,
    "maxUnackedMessagesPerBroker": 0,
    "maxUnackedMessagesPerSubscriptionOnBrokerBlocked": 0.16,
    "activeConsumerFailoverDelayTimeMillis": 1000,
    "journalSyncData": True,
    "diskUsageThreshold": 0.95,
    "diskUsageWarnThreshold": 0.90,
    "diskCheckInterval": 10_000,
}


def test_defaults_are_pulsars() -> None:
    table = {row.key: row.default for row in conf.keys_of(StandaloneSettings)}
    assert {key: table[key] for key in PULSAR_DEFAULTS} == PULSAR_DEFAULTS


def test_what_differs_here_says_so() -> None:
    docs = {row.key: row.doc for row in conf.keys_of(StandaloneSettings)}
    assert "here" in docs["acknowledgmentAtBatchIndexLevelEnabled"]
    assert "here" in docs["diskUsageLwmThreshold"]
    assert StandaloneSettings().batch_index_acks


def test_keys_are_named_once_and_documented() -> None:
    rows = conf.keys_of(StandaloneSettings)
    assert len({row.key for row in rows}) == len(rows)
    assert all(row.doc.endswith(".") for row in rows)


def test_every_key_is_read_as_the_type_of_its_default() -> None:
    texts = {
        row.key: str(row.default).lower() if isinstance(row.default, bool) else str(row.default)
        for row in conf.keys_of(StandaloneSettings)
    }
    assert conf.load(StandaloneSettings, texts) == (StandaloneSettings(), [])


def test_listens_on_loopback_unless_told_otherwise() -> None:
    assert StandaloneSettings().listen_hosts == ("127.0.0.1", "::1")
    assert StandaloneSettings(bind_address="0.0.0.0").listen_hosts == ("0.0.0.0",)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("allowAutoTopicCreationType", "some"),
        ("maxMessageSize", "0"),
        ("keepAliveIntervalSeconds", "-1"),
        ("journalMaxSizeMB", "0"),
        ("brokerServicePort", "65536"),
        ("webServicePort", "-1"),
        ("maxMessageSize", "99999999999"),
        ("flushInterval", "0"),
        ("managedLedgerCacheSizeMB", "-5"),
        ("dispatcherMaxRoundRobinBatchSize", "0"),
        ("managedLedgerDefaultMarkDeleteRateLimit", "-0.5"),
    ],
)
def test_impossible_values_are_refused(key: str, text: str) -> None:
    with pytest.raises(ConfError, match=key):
        conf.load(StandaloneSettings, {key: text})


@pytest.mark.parametrize("key", ["authenticationEnabled", "authorizationEnabled"])
def test_what_would_protect_is_not_passed_over(key: str) -> None:
    with pytest.raises(ConfError, match=f"{key}: not supported yet"):
        conf.load(StandaloneSettings, {key: "true"})
    assert conf.load(StandaloneSettings, {key: "false"}) == (StandaloneSettings(), [])


def test_empty_values_of_pulsars_own_files_mean_the_default() -> None:
    empty = dict.fromkeys(["clusterName", "advertisedAddress", "managedLedgerCacheSizeMB"], "")
    assert conf.load(StandaloneSettings, empty) == (StandaloneSettings(), [])


@pytest.mark.parametrize("key", ["defaultRetentionTimeInMinutes", "defaultRetentionSizeInMB"])
def test_minus_one_is_for_ever(key: str) -> None:
    conf.load(StandaloneSettings, {key: "-1"})


def test_default_settings_ask_for_the_default_limits() -> None:
    assert StandaloneSettings().limits() == Limits()


def test_limits_follow_the_settings() -> None:
    settings, _ = conf.load(
        StandaloneSettings,
        {
            "maxMessageSize": str(64 << 20),
            "keepAliveIntervalSeconds": "7",
            "maxPendingPublishRequestsPerConnection": "5",
        },
    )
    assert settings.limits() == dataclasses.replace(
        Limits(),
        max_message_bytes=64 << 20,
        max_pending_publish_bytes_per_connection=64 << 20,
        keep_alive_interval_ms=7000,
        max_pending_publishes_per_connection=5,
    )
