"""Making, opening and deleting ledgers."""

import pytest
from magnetar_ledger.errors import (
    LedgerMetadataError,
    NoSuchLedgerError,
    NotEnoughBookiesError,
    UnauthorizedLedgerError,
)
from magnetar_metadata.errors import UnknownOutcomeError
from magnetar_metadata.ledger_metadata import DigestType, LedgerState
from magnetar_proto.bookie import Status
from magnetar_runtime.sim import WALL_START_MS

from tests.ledger.cluster import PASSWORD, Cluster, payload
from tests.ledger.virtual_time import run, turns


def test_metadata_stands_before_the_first_entry() -> None:
    async def main() -> None:
        cluster = Cluster()
        writer = await cluster.client().create(
            ensemble_size=3,
            write_quorum=2,
            ack_quorum=1,
            digest_type=DigestType.CRC32,
            password=b"p",
            custom={"application": b"pulsar"},
        )
        metadata = await cluster.metadata(writer.ledger_id)
        assert metadata == writer.metadata
        assert (metadata.ensemble_size, metadata.write_quorum, metadata.ack_quorum) == (3, 2, 1)
        assert sorted(metadata.segments[0].bookies) == ["b0", "b1", "b2"]
        assert metadata.state is LedgerState.OPEN
        assert (metadata.digest_type, metadata.password) == (DigestType.CRC32, b"p")
        assert metadata.custom == {"application": b"pulsar"}
        assert metadata.created_ms == WALL_START_MS
        assert metadata.creation_token > 0
        assert all(not bookie.calls for bookie in cluster.bookies.values())

    run(main())


def test_ids_of_others_are_passed_over() -> None:
    async def main() -> None:
        cluster = Cluster()
        writer, _ = await cluster.writer()
        cluster.store._shared.tree.nodes["/ledgers/idgen"].sequence = writer.ledger_id
        client = cluster.client(seed=2)
        other = await client.create(ensemble_size=1, write_quorum=1, ack_quorum=1)
        assert other.ledger_id == writer.ledger_id + 1

    run(main())


def test_a_ledger_needs_its_bookies_and_its_store() -> None:
    async def main() -> None:
        cluster = Cluster(2)
        with pytest.raises(NotEnoughBookiesError):
            await cluster.writer(3, 3, 2)
        assert await cluster.registry.list_ids() == []
        await cluster.store.close()
        with pytest.raises(LedgerMetadataError):
            await cluster.writer(2, 2, 2)
        with pytest.raises(LedgerMetadataError):
            await cluster.client().open(1, recover=True)
        with pytest.raises(LedgerMetadataError):
            await cluster.client().delete(1)

    run(main())


def test_a_closed_ledger_is_opened_as_it_stands() -> None:
    async def main() -> None:
        cluster = Cluster()
        writer, _ = await cluster.writer()
        for number in range(3):
            writer.add(payload(number))
        await turns()
        await writer.close()
        for bookie in cluster.bookies.values():
            bookie.calls.clear()
        for recover in (True, False):
            reader = await cluster.client().open(
                writer.ledger_id, password=PASSWORD, recover=recover
            )
            assert (reader.last_add_confirmed, reader.length) == (2, 3 * len(payload(0)))
            assert reader.closed
            assert reader.metadata == writer.metadata
        assert all(not bookie.calls for bookie in cluster.bookies.values())
        assert await reader.read(0, 9, 1000) == [payload(i) for i in range(3)]

    run(main())


def test_open_without_recovery_leaves_the_writer_alone() -> None:
    async def main() -> None:
        cluster = Cluster()
        writer, sink = await cluster.writer()
        client = cluster.client()
        reader = await client.open(writer.ledger_id, password=PASSWORD, recover=False)
        assert (reader.last_add_confirmed, reader.length, reader.closed) == (-1, 0, False)
        for number in range(3):
            writer.add(payload(number))
            await turns()
        reader = await client.open(writer.ledger_id, password=PASSWORD, recover=False)
        assert reader.last_add_confirmed == 1  # what the last entry carries
        assert await reader.read(0, 9, 1000) == [payload(0), payload(1)]
        writer.add(payload(3))
        await turns()
        assert sink.count == 4

    run(main())


def test_open_without_recovery_needs_enough_answers() -> None:
    async def main() -> None:
        cluster = Cluster()
        writer, _ = await cluster.writer()
        for bookie in cluster.ensemble(writer)[:2]:
            bookie.answer = Status.UNAVAILABLE
        with pytest.raises(NotEnoughBookiesError):
            await cluster.client().open(writer.ledger_id, password=PASSWORD, recover=False)

    run(main())


def test_the_password_must_be_the_ledgers() -> None:
    async def main() -> None:
        cluster = Cluster()
        writer, _ = await cluster.writer()
        with pytest.raises(UnauthorizedLedgerError):
            await cluster.client().open(writer.ledger_id, password=b"other", recover=True)
        assert (await cluster.metadata(writer.ledger_id)).state is LedgerState.OPEN

    run(main())


def test_a_deleted_ledger_is_gone() -> None:
    async def main() -> None:
        cluster = Cluster()
        writer, _ = await cluster.writer()
        client = cluster.client()
        await client.delete(writer.ledger_id)
        with pytest.raises(NoSuchLedgerError):
            await client.open(writer.ledger_id, password=PASSWORD, recover=False)
        with pytest.raises(NoSuchLedgerError):
            await client.delete(writer.ledger_id)

    run(main())


@pytest.mark.parametrize("losses", [["before"], ["after"], ["before", "after"]])
def test_a_delete_of_unknown_outcome_is_tried_again(losses: list[str]) -> None:
    async def main() -> None:
        cluster = Cluster()
        writer, _ = await cluster.writer()
        await writer.close()
        real_delete, pending = cluster.store.delete, list(losses)

        async def lossy(path: str, version: int = -1) -> None:
            loss = pending.pop(0) if pending else ""
            if loss != "before":
                await real_delete(path, version)
            if loss:
                raise UnknownOutcomeError(path)

        cluster.store.delete = lossy  # type: ignore[method-assign]
        await cluster.client().delete(writer.ledger_id)
        assert await cluster.registry.read(writer.ledger_id) is None
        with pytest.raises(NoSuchLedgerError):
            await cluster.client().delete(writer.ledger_id)

    run(main())


def test_a_delete_whose_outcome_stays_unknown_says_so() -> None:
    async def main() -> None:
        cluster = Cluster()
        writer, _ = await cluster.writer()

        async def lost(path: str, version: int = -1) -> None:
            raise UnknownOutcomeError(path)

        cluster.store.delete = lost  # type: ignore[method-assign]
        with pytest.raises(LedgerMetadataError):
            await cluster.client().delete(writer.ledger_id)

    run(main())
