"""Counting what can be read."""

from magnetar_proto.bookie import Status
from magnetar_storage.readable import count_readable

from tests.proto.bookie_contract import LEDGER
from tests.storage.support import Box


async def test_as_far_as_one_read_goes(box: Box) -> None:
    await box.add([0, 1, 2, 4])
    assert await count_readable(box.bookie, LEDGER, 0) == (Status.OK, 3)
    assert await count_readable(box.bookie, LEDGER, 0, 2) == (Status.OK, 2)
    assert await count_readable(box.bookie, LEDGER, 3) == (Status.NO_ENTRY, 0)
    assert await count_readable(box.bookie, LEDGER + 1, 0) == (Status.NO_LEDGER, 0)
