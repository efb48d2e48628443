"""The one loop that changes metadata."""

from dataclasses import replace

import pytest
from magnetar_ledger.config import LedgerClientConfig
from magnetar_ledger.errors import LedgerFencedError, LedgerMetadataError, NoSuchLedgerError
from magnetar_ledger.metadata_update import VersionedMetadata, read_metadata, update_metadata
from magnetar_metadata.ledger_metadata import LedgerMetadata, Segment
from magnetar_metadata.ledger_paths import ledger_path

from tests.ledger.cluster import Cluster
from tests.ledger.virtual_time import run

START = LedgerMetadata(1, 1, 1, (Segment(0, ("b0",)),))
CONFIG = LedgerClientConfig(metadata_attempts=3, metadata_retry_pause_ms=100)


def want(name: str, seen: list[LedgerMetadata]):  # type: ignore[no-untyped-def]
    """A change that sets a custom value, unless it stands there."""

    def change(found: LedgerMetadata) -> LedgerMetadata | None:
        seen.append(found)
        if name in found.custom:
            return None
        return replace(found, custom={**found.custom, name: b""})

    return change


async def start(cluster: Cluster) -> VersionedMetadata:
    return VersionedMetadata(START, await cluster.registry.create(1, START))


def test_a_change_begins_with_what_is_known() -> None:
    async def main() -> None:
        cluster, seen = Cluster(), list[LedgerMetadata]()
        known = await start(cluster)
        known = await update_metadata(cluster.registry, 1, known, want("x", seen), CONFIG)
        assert seen == [START]
        assert known == await cluster.registry.read(1)
        assert known.metadata.custom == {"x": b""}

    run(main())


def test_a_conflict_is_read_again_and_the_other_change_stays() -> None:
    async def main() -> None:
        cluster, seen = Cluster(), list[LedgerMetadata]()
        known = await start(cluster)
        await cluster.meddle(1, custom={"other": b""})
        known = await update_metadata(cluster.registry, 1, known, want("x", seen), CONFIG)
        assert known.metadata.custom.keys() == {"x", "other"}
        assert len(seen) == 2

    run(main())


@pytest.mark.parametrize("losses", [["before"], ["after"], ["before", "after"]])
def test_a_write_of_unknown_outcome_is_looked_for(losses: list[str]) -> None:
    async def main() -> None:
        cluster = Cluster()
        known = await start(cluster)
        cluster.store.losses = list(losses)
        known = await update_metadata(cluster.registry, 1, known, want("x", []), CONFIG)
        assert known == await cluster.registry.read(1)
        assert known.metadata.custom == {"x": b""}
        assert cluster.store.sets == 1

    run(main())


def test_outcomes_that_stay_unknown_are_told() -> None:
    async def main() -> None:
        cluster = Cluster()
        known = await start(cluster)
        cluster.store.losses = ["before"] * 3
        with pytest.raises(LedgerMetadataError):
            await update_metadata(cluster.registry, 1, known, want("x", []), CONFIG)

    run(main())


def test_a_change_can_give_up_or_find_nothing_to_do() -> None:
    def refuse(found: LedgerMetadata) -> LedgerMetadata | None:
        raise LedgerFencedError("no")

    async def main() -> None:
        cluster = Cluster()
        known = await start(cluster)
        with pytest.raises(LedgerFencedError):
            await update_metadata(cluster.registry, 1, known, refuse, CONFIG)
        assert await update_metadata(cluster.registry, 1, known, lambda _: None, CONFIG) is known
        assert cluster.store.sets == 0

    run(main())


def test_a_deleted_ledger_and_foreign_bytes_are_named() -> None:
    async def main() -> None:
        cluster = Cluster()
        known = await start(cluster)
        await cluster.registry.delete(1)
        with pytest.raises(NoSuchLedgerError):
            await update_metadata(cluster.registry, 1, known, want("x", []), CONFIG)
        with pytest.raises(NoSuchLedgerError):
            await read_metadata(cluster.registry, 1)
        await cluster.store.create(ledger_path(1), b"?")
        with pytest.raises(LedgerMetadataError):
            await read_metadata(cluster.registry, 1)
        await cluster.store.close()
        with pytest.raises(LedgerMetadataError):
            await update_metadata(cluster.registry, 1, known, want("x", []), CONFIG)

    run(main())
