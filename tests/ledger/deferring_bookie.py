"""A fake bookie that answers adds before they are durable, and can lose its power."""

import asyncio
from dataclasses import dataclass

from magnetar_proto.bookie import DEFERRED_SYNC, ForceDone, Status

from tests.ledger.fake_bookie import AddCall, FakeBookie


@dataclass(eq=False)
class ForceCall:
    ledger_id: int
    done: ForceDone


class DeferringBookie(FakeBookie):
    """Forces wait in `forces` while `holds_forces`."""

    def __init__(self, name: str = "bookie") -> None:
        super().__init__(name)
        self.defers_sync = True
        self.losses = 0
        self.durable: dict[int, dict[int, bytes]] = {}
        self.forces: list[ForceCall] = []
        self.holds_forces = False
        self.forced = 0

    def force(self, ledger_id: int, done: ForceDone) -> None:
        self.forces.append(ForceCall(ledger_id, done))
        if not self.holds_forces:
            asyncio.get_running_loop().call_soon(self.run_forces)

    def run_forces(self) -> None:
        forces, self.forces = self.forces, []
        for call in forces:
            self.forced += 1
            if self.answer is None:
                self.durable[call.ledger_id] = dict(self.entries.get(call.ledger_id, {}))
            call.done(self.answer or Status.OK)

    def lose_power(self) -> None:
        """What was not forced is gone, and the connection; it is there again at once."""
        self.entries = {ledger_id: dict(kept) for ledger_id, kept in self.durable.items()}
        self.losses += 1

    def _add_status(self, call: AddCall) -> Status:
        status = super()._add_status(call)
        if status is Status.OK and not call.flags & DEFERRED_SYNC:
            self.durable.setdefault(call.ledger_id, {})[call.entry_id] = call.entry
        return status
