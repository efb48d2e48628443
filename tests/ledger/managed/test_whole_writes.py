"""Entries that are written in one go."""

import pytest
from magnetar_ledger.errors import LedgerError
from magnetar_ledger.managed.whole_writes import append_all
from magnetar_proto.bookie import Status

from tests.ledger.managed.harness import World, run


def test_all_are_confirmed_on_return_and_a_failure_is_told() -> None:
    async def main() -> None:
        world = World()
        client = world.deps().client
        writer = await client.create(ensemble_size=1, write_quorum=1, ack_quorum=1)
        await append_all(writer, [b"a", b"b"])
        assert writer.last_add_confirmed == 1
        world.bookies[0].answer = Status.IO_ERROR
        with pytest.raises(LedgerError):
            await append_all(writer, [b"c"])

    run(main())
