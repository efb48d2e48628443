"""All ledgers, without those that are gone or cannot be read."""

import pytest
from magnetar_ledger.repair.ledger_walk import all_ledgers
from magnetar_metadata import together
from magnetar_metadata.ledger_paths import ledger_path

from tests.ledger.repair.world import RepairWorld
from tests.ledger.virtual_time import run


def test_every_readable_ledger_is_there(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(together, "AT_ONCE", 3)

    async def main() -> None:
        world = await RepairWorld().begin()
        ids = [await world.written(1) for _ in range(10)]
        await world.store.set(ledger_path(ids[4]), b"nonsense")
        seen = 0
        found = []
        async for part in all_ledgers(world.registry):
            found += part
            seen += 1
            if seen == 1:
                await world.registry.delete(ids[8])
        assert [ledger_id for ledger_id, _ in found] == ids[:4] + ids[5:8] + ids[9:]
        assert dict(found)[ids[0]] == await world.metadata(ids[0])

    run(main())
    assert "ledger 4 cannot be looked after" in caplog.text
