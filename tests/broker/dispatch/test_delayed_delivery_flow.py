"""Delayed messages while consumers leave and come back, on Shared and Key_Shared."""

from collections import Counter
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from magnetar_broker.consumer import Consumer
from magnetar_broker.dispatch import delayed_delivery

from tests.broker.consuming import MemoryLog, link_of, payload
from tests.broker.dispatch.test_key_shared_dispatcher import Setup as KeySharedSetup
from tests.broker.dispatch.test_shared_dispatcher import Setup as SharedSetup
from tests.broker.dispatching import DispatcherSetup

DELAYS_MS = (0, 0, 100, 500, 3_000)


class HeldScope:
    """Where nothing runs until it is told to: reads of storage take their time."""

    def __init__(self) -> None:
        self.waiting: list[Coroutine[Any, Any, None]] = []

    def spawn(self, work: Coroutine[Any, Any, None], *, name: str) -> None:
        assert name
        self.waiting.append(work)

    def run(self) -> int:
        """What has begun ends; returns how much that was."""
        due, self.waiting = self.waiting, []
        for work in due:
            with pytest.raises(StopIteration):
                work.send(None)
        return len(due)

    def close(self) -> None:
        for work in self.waiting:
            work.close()


class DelayedFlow(RuleBasedStateMachine):
    """A whole dispatcher with a real cursor and a clock: what clients receive is the model."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(delayed_delivery, "_RELEASE_ENTRIES", 2)
        self.scope = HeldScope()

    def teardown(self) -> None:
        self.patch.undo()
        self.scope.close()

    @initialize(keyed=st.booleans(), cached=st.booleans(), batch=st.integers(2, 4))
    def begin(self, keyed: bool, cached: bool, batch: int) -> None:
        self.keyed = keyed
        kind = KeySharedSetup if keyed else SharedSetup
        self.setup: DispatcherSetup = kind(
            MemoryLog(cached=cached),
            scope=self.scope,
            delayed_delivery_strict=True,
            read_max_entries=batch,
            round_robin_max_entries=2,
            turn_max_bytes=200,
        )
        self.clock: Any = self.setup.context.clock
        self.due_ms: list[int] = []
        self.keys: list[str] = []
        self.acked: set[int] = set()
        self.holder: dict[int, Consumer] = {}
        self.room: Counter[Consumer] = Counter()
        self.come(9)
        self.publish([0, 0, 0, 500, 500, 0])
        self.all_reads_end()

    @property
    def consumers(self) -> list[Consumer]:
        return list(self.setup.dispatcher.consumers)

    def pick(self, which: int) -> Consumer:
        return self.consumers[which % len(self.consumers)]

    @rule(delays_ms=st.lists(st.sampled_from(DELAYS_MS), min_size=1, max_size=8))
    def publish(self, delays_ms: list[int]) -> None:
        for delay_ms in delays_ms:
            self.keys.append(f"k{len(self.keys) % 3}")
            self.due_ms.append(self.clock.now_ms + delay_ms)
        begin = len(self.keys) - len(delays_ms)
        self.setup.add(
            *(
                payload(n, key=self.keys[n], deliver_at_ms=self.due_ms[n] if delay_ms else None)
                for n, delay_ms in enumerate(delays_ms, begin)
            )
        )
        self.receive()

    @rule(permits=st.integers(0, 9))
    def come(self, permits: int) -> None:
        if len(self.consumers) < 3:
            one = self.setup.attach(f"c{len(self.room) % 5}")
            self.receive()
            self.flow_to(one, permits)

    @precondition(lambda self: self.consumers)
    @rule(which=st.integers(0, 2))
    def go(self, which: int) -> None:
        one = self.pick(which)
        self.forget(one)
        self.setup.dispatcher.remove(one)
        self.receive()

    @rule(milliseconds=st.sampled_from([0, 100, 500, 3_000]), permits=st.integers(0, 9))
    def all_go_and_one_comes_later(self, milliseconds: int, permits: int) -> None:
        while self.consumers:
            self.go(0)
        self.pass_time(milliseconds)
        self.come(permits)

    @rule(permits=st.integers(1, 4), milliseconds=st.sampled_from([100, 500]))
    def one_comes_back_and_is_slow(self, permits: int, milliseconds: int) -> None:
        """Entries become due while reading is among those before them, or just behind."""
        self.all_go_and_one_comes_later(0, permits)
        self.all_reads_end()
        self.pass_time(milliseconds)
        self.flow(0, 9)
        self.all_reads_end()

    @precondition(lambda self: self.consumers)
    @rule(which=st.integers(0, 2), permits=st.integers(1, 9))
    def flow(self, which: int, permits: int) -> None:
        self.flow_to(self.pick(which), permits)

    def flow_to(self, one: Consumer, permits: int) -> None:
        self.room[one] += permits
        self.setup.dispatcher.flow(one, permits)
        self.receive()

    @rule(milliseconds=st.sampled_from([1, 99, 100, 500, 2_500]))
    def pass_time(self, milliseconds: int) -> None:
        self.clock.now_ms += milliseconds
        self.setup.timers.fire()
        self.receive()

    @precondition(lambda self: self.holder)
    @rule(which=st.integers(0, 99))
    def ack(self, which: int) -> None:
        entry = sorted(self.holder)[which % len(self.holder)]
        self.acked.add(entry)
        self.setup.ack(self.holder.pop(entry), entry)
        self.receive()

    @precondition(lambda self: self.consumers and self.outstanding)
    @rule(which=st.integers(0, 99))
    def ack_what_was_not_sent(self, which: int) -> None:
        entry = self.outstanding[which % len(self.outstanding)]
        self.acked.add(entry)
        self.setup.ack(self.consumers[0], entry)
        self.receive()

    @precondition(lambda self: self.holder)
    @rule(which=st.integers(0, 2))
    def give_back(self, which: int) -> None:
        one = self.pick(which)
        self.forget(one)
        self.setup.dispatcher.redeliver(one, None)
        self.receive()

    @precondition(lambda self: self.scope.waiting)
    @rule()
    def reads_end(self) -> None:
        self.scope.run()
        self.receive()

    def all_reads_end(self) -> None:
        while self.scope.waiting:
            self.reads_end()

    def forget(self, one: Consumer) -> None:
        self.holder = {entry: held for entry, held in self.holder.items() if held is not one}

    @property
    def outstanding(self) -> list[int]:
        """What was published, is not acked and is with nobody."""
        return [
            entry
            for entry in range(len(self.keys))
            if entry not in self.acked and entry not in self.holder
        ]

    def receive(self) -> None:
        while self.setup.timers.run_soon():
            pass
        for one in self.consumers:
            for message in link_of(one).messages():
                entry = message.message_id.entryId
                assert entry not in self.holder, "it is with a consumer already"
                assert entry not in self.acked, "it was acked"
                assert self.due_ms[entry] <= self.clock.now_ms, "it is not due"
                assert self.room[one] > 0, "no permits were left"
                self.holder[entry] = one
                self.room[one] -= 1

    @invariant()
    def permits_are_what_clients_have_room_for(self) -> None:
        for one in self.consumers:
            assert one.permits == self.room[one]

    @invariant()
    def nothing_is_stuck(self) -> None:
        """Once nothing is being read, what is due waits only for room."""
        if self.scope.waiting:
            return
        for entry in self.outstanding:
            if self.due_ms[entry] <= self.clock.now_ms:
                takers = self.takers_of(entry)
                assert not any(one.permits > 0 for one in takers), f"{entry} does not come"

    def takers_of(self, entry: int) -> list[Consumer]:
        if not self.keyed:
            return self.consumers
        core = self.setup.dispatcher.core
        hash_ = self.setup.dispatcher._hash_of(payload(0, key=self.keys[entry]))
        owner, holder = core.ranges.owner_of(hash_), core.draining.holder_of(hash_)
        return [owner] if owner is not None and holder in (None, owner) else []

    @invariant()
    def the_index_has_no_more_than_what_waits(self) -> None:
        waiting = self.setup.dispatcher.delayed[0]
        assert waiting <= len(self.outstanding)
        assert waiting or self.setup.dispatcher.delayed[1] == 0


DelayedFlow.TestCase.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)
TestDelayedFlow = DelayedFlow.TestCase
