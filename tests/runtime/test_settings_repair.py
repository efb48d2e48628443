"""The keys of auto-recovery are BookKeeper's, with its defaults."""

import pytest
from magnetar_runtime.conf import load, read_conf
from magnetar_runtime.errors import ConfError
from magnetar_runtime.settings_bookie import BookieServiceSettings
from magnetar_runtime.settings_repair import RepairSettings


def test_defaults_are_bookkeepers() -> None:
    found = RepairSettings()
    assert not found.auto_recovery_daemon_enabled
    assert found.lost_bookie_recovery_delay_s == 0
    assert found.bookie_check_interval_s == 24 * 3600
    assert found.ledger_check_interval_s == 7 * 24 * 3600
    assert found.ledger_verification_percent == 0
    assert found.open_ledger_grace_ms == 30_000
    assert found.failed_ledger_pause_ms == 300_000
    assert found.repair_pause_ms == 5_000
    assert found.replication_rate_bytes_per_s == -1


def test_keys_are_bookkeepers() -> None:
    text = """
lostBookieRecoveryDelay=60
auditorPeriodicBookieCheckInterval=61
auditorPeriodicCheckInterval=0
auditorLedgerVerificationPercentage=63
openLedgerRereplicationGracePeriod=64
lockReleaseOfFailedLedgerGracePeriod=65
rwRereplicateBackoffMs=66
replicationRateByBytes=67
rereplicationEntryBatchSize=68
auditorCheckRateByEntries=69
"""
    found, unknown = load(RepairSettings, read_conf(text))
    assert unknown == []
    values = (
        found.lost_bookie_recovery_delay_s,
        found.bookie_check_interval_s,
        found.ledger_check_interval_s,
        found.ledger_verification_percent,
        found.open_ledger_grace_ms,
        found.failed_ledger_pause_ms,
        found.repair_pause_ms,
        found.replication_rate_bytes_per_s,
        found.replication_batch_entries,
        found.check_rate_entries_per_s,
    )
    assert values == (60, 61, 0, 63, 64, 65, 66, 67, 68, 69)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("auditorPeriodicBookieCheckInterval", "0"),
        ("auditorLedgerVerificationPercentage", "101"),
        ("rwRereplicateBackoffMs", "0"),
        ("replicationRateByBytes", "-2"),
        ("rereplicationEntryBatchSize", "0"),
        ("lostBookieRecoveryDelay", "-1"),
    ],
)
def test_what_cannot_be_is_refused(key: str, value: str) -> None:
    with pytest.raises(ConfError, match=key):
        load(BookieServiceSettings, {key: value})
