"""What was stored before, as a model: none twice, none lost, whatever fails or restarts."""

from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from magnetar_broker.deduplication import Deduplication, Verdict
from magnetar_ledger.position import Position
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.payloads import encode_payload
from magnetar_proto.sends import with_checksum

MINUS_ONE = 2**64 - 1
NEW, STORED, UNDECIDED = Verdict


def payload_of(name: str, first: int, last: int, chunk: tuple[int, int] | None = None) -> bytes:
    metadata = api.MessageMetadata(producer_name=name, sequence_id=first, publish_time=1)
    if last != first:
        metadata.num_messages_in_batch = last - first + 1
    if chunk is not None:
        metadata.chunk_id, metadata.num_chunks_from_msg = chunk
        metadata.uuid = f"{name}-{first}"
    return encode_payload(metadata, b"x")


class World:
    """A deduplication with what its ledger holds."""

    def __init__(self, max_producers: int = 100) -> None:
        self.attached: set[str] = set()
        self.max_producers = max_producers
        self.dedup = Deduplication(max_producers, self.attached)
        self.pending: list[tuple[str, int, int, bytes]] = []
        self.ledger: list[tuple[str, int, int, bytes]] = []
        self.kept: dict[str, int] = {}
        self.kept_through = -1

    def send(
        self, name: str, first: int, last: int | None = None, chunk: tuple[int, int] | None = None
    ) -> Verdict:
        last = first if last is None else last
        payload = payload_of(name, first, last, chunk)
        verdict = self.dedup.admit(name, first, MINUS_ONE, last - first + 1, payload)
        if verdict is NEW:
            self.pending.append((name, first, last, payload))
        return verdict

    def confirm(self, count: int = 1000) -> None:
        for name, first, last, payload in self.pending[:count]:
            self.dedup.stored(name, first, MINUS_ONE, last - first + 1, 1, len(self.ledger))
            self.ledger.append((name, first, last, payload))
        del self.pending[:count]

    def fail(self) -> None:
        self.dedup.failed(len(self.pending))
        self.pending.clear()
        self.dedup.forget_failed()

    def snapshot(self) -> None:
        if self.ledger:
            place = self.dedup.snapshot_position(Position(1, len(self.ledger) - 1))
            self.kept, self.kept_through = self.dedup.snapshot(), place.entry_id

    def restart(self) -> None:
        self.pending.clear()
        self.dedup = Deduplication(self.max_producers, self.attached)
        self.dedup.restore(self.kept)
        for entry_id in range(self.kept_through + 1, len(self.ledger)):
            self.dedup.replay(self.ledger[entry_id][3], Position(1, entry_id))


def test_a_message_is_new_then_undecided_then_stored() -> None:
    world = World()
    assert world.send("p", 5) is NEW
    assert world.send("p", 5) is UNDECIDED
    assert not world.dedup.is_stored("p", 5, MINUS_ONE, 1)
    world.confirm()
    assert world.send("p", 5) is STORED
    assert world.send("p", 3) is STORED
    assert world.dedup.is_stored("p", 5, MINUS_ONE, 1)
    assert world.send("q", 5) is NEW


def test_what_failed_may_come_again() -> None:
    world = World()
    world.send("p", 0)
    world.confirm()
    world.send("p", 1)
    world.fail()
    assert world.send("p", 0) is STORED
    assert world.send("p", 1) is NEW


def test_a_producer_goes_on_behind_what_is_under_way() -> None:
    world = World()
    assert world.dedup.last_pushed("p") == -1
    world.send("p", 7, 9)
    assert world.dedup.last_pushed("p") == 9
    world.fail()
    assert world.dedup.last_pushed("p") == -1


def test_a_batch_is_judged_by_its_last_message() -> None:
    world = World()
    assert world.send("p", 0, 9) is NEW
    world.confirm()
    assert world.send("p", 0, 9) is STORED
    assert world.send("p", 4) is STORED
    # Pulsar drops these with a receipt, and messages 10 to 14 are lost.
    assert world.send("p", 5, 14) is NEW


def test_the_last_of_a_batch_counts_where_the_client_tells_it() -> None:
    """Ids that an application chose may have gaps."""
    world = World()
    assert world.dedup.admit("p", 10, 30, 3, payload_of("p", 10, 12)) is NEW
    world.dedup.stored("p", 10, 30, 3, 1, 0)
    assert world.send("p", 30) is STORED
    assert world.dedup.last_pushed("p") == 30


def test_a_batch_of_which_a_part_is_under_way_has_to_wait() -> None:
    world = World()
    world.send("p", 0, 9)
    assert world.send("p", 5, 14) is UNDECIDED


@pytest.mark.parametrize("big", [2**63, 2**64 - 1])
def test_ids_beyond_the_largest_are_negative_as_in_java(big: int) -> None:
    world = World()
    world.send("p", 0)
    world.confirm()
    assert world.send("p", big) is STORED
    assert world.send("p", 2**63 - 1) is NEW
    world.confirm()
    world.snapshot()
    assert world.kept == {"p": 2**63 - 1}


@pytest.mark.parametrize("big", [2**63, 2**64 - 1])
def test_a_first_message_is_new_whatever_its_id(big: int) -> None:
    """As in Pulsar. Taken for a repeat it would have a receipt, and be nowhere."""
    world = World()
    assert world.send("p", big) is NEW
    assert world.send("p", big) is UNDECIDED
    world.confirm()
    assert world.send("p", big) is STORED
    assert world.send("p", 0) is NEW


@pytest.mark.parametrize("count", [0, -1, -(2**31)])
def test_a_count_that_makes_no_sense_is_that_of_one_message(count: int) -> None:
    world = World()
    assert world.dedup.admit("p", 0, MINUS_ONE, count, payload_of("p", 0, 0)) is NEW
    world.dedup.stored("p", 0, MINUS_ONE, count, 1, 0)
    assert world.send("p", 0) is STORED
    assert world.send("p", 1) is NEW


@pytest.mark.parametrize("count", [2, 2**31 - 1])
def test_no_batch_ends_behind_the_largest_id(count: int) -> None:
    """A snapshot could not hold it: it was a bug that each who loaded the topic met again."""
    largest = 2**63 - 1
    world = World()
    payload = payload_of("p", largest, largest + 1)
    assert world.dedup.admit("p", largest, MINUS_ONE, count, payload) is NEW
    world.dedup.stored("p", largest, MINUS_ONE, count, 1, 0)
    assert world.dedup.snapshot() == {"p": largest}
    again = World()
    again.dedup.replay(payload, Position(1, 0))
    assert again.dedup.snapshot() == {"p": largest}


def test_chunks_are_repeats_one_by_one() -> None:
    world = World()
    for chunk_id in range(3):
        assert world.send("p", 0, chunk=(chunk_id, 4)) is NEW
    world.confirm(2)
    verdicts = [world.send("p", 0, chunk=(chunk_id, 4)) for chunk_id in range(4)]
    assert verdicts == [STORED, STORED, UNDECIDED, NEW]
    world.confirm()
    assert [world.send("p", 0, chunk=(chunk_id, 4)) for chunk_id in range(4)] == [STORED] * 4
    assert world.send("p", 1) is NEW


def test_a_message_with_other_chunks_is_not_mixed_with_the_first_attempt() -> None:
    """Cut elsewhere, the chunks of both attempts together would be another message."""
    world = World()
    world.send("p", 0, chunk=(0, 2))
    world.confirm()
    metadata = api.MessageMetadata(
        producer_name="p",
        sequence_id=0,
        publish_time=2,
        chunk_id=0,
        num_chunks_from_msg=2,
        uuid="p-0",
    )
    again = encode_payload(metadata, b"other")
    assert world.dedup.admit("p", 0, MINUS_ONE, 1, again) is NEW


def test_a_snapshot_does_not_pass_the_chunks_of_an_incomplete_message() -> None:
    world = World()
    world.send("q", 0)
    world.send("p", 0, chunk=(0, 2))
    world.send("q", 1)
    world.confirm()
    world.snapshot()
    assert (world.kept, world.kept_through) == ({"q": 1}, 0)
    world.restart()
    assert world.send("p", 0, chunk=(0, 2)) is STORED
    assert world.send("p", 0, chunk=(1, 2)) is NEW
    world.confirm()
    world.snapshot()
    assert (world.kept, world.kept_through) == ({"p": 0, "q": 1}, 3)


def test_unreadable_entries_are_passed_over() -> None:
    world = World()
    world.dedup.replay(b"\x00", Position(1, 0))
    assert world.dedup.snapshot() == {}


def test_a_name_in_an_entry_that_is_no_text_is_kept_as_one() -> None:
    """Scenario: a snapshot cannot hold it, and failed for all producers of the topic."""
    world = World()
    stored = api.MessageMetadata(producer_name="p", sequence_id=3, publish_time=0)
    metadata = stored.SerializeToString() + b"\x0a\x02p\xff"
    world.dedup.replay(with_checksum(metadata, b""), Position(1, 0))
    assert world.dedup.snapshot() == {"p\ufffd": 3}


def test_idle_producers_are_forgotten_and_others_are_not() -> None:
    world = World()
    for name in "abc":
        world.send(name, 0)
    world.confirm(2)  # c's is under way
    world.attached.add("a")
    assert not world.dedup.purge(0, 100)
    assert not world.dedup.purge(99, 100)
    assert world.dedup.purge(100, 100)
    assert world.send("a", 0) is STORED
    assert world.send("b", 0) is NEW
    assert world.send("c", 0) is UNDECIDED


def test_a_producer_that_came_back_begins_to_be_idle_anew() -> None:
    world = World()
    world.send("a", 0)
    world.confirm()
    world.dedup.purge(0, 100)
    world.attached.add("a")
    world.dedup.purge(50, 100)
    world.attached.remove("a")
    assert not world.dedup.purge(100, 100)
    assert world.dedup.purge(200, 100)


def test_never_more_producers_than_the_most_but_for_those_attached() -> None:
    world = World(max_producers=10)
    world.attached |= {"0", "3"}
    for number in range(1000):
        world.send(str(number), 0)
        world.confirm()
        assert len(world.dedup.snapshot()) <= 10
    assert world.send("0", 0) is STORED
    assert world.send("3", 0) is STORED
    assert world.send("999", 0) is STORED


class DedupMachine(RuleBasedStateMachine):
    """Clients that send again from any place they were at, over failures and restarts.

    The client of a message without receipt sends it and all behind it again, byte for byte, as the
    official ones do. Messages are single, batches or chunks, by their sequence id.
    """

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.next_op = {"p": 0, "q": 0}  # of the client: what it sends next
        self.receipts = {"p": 0, "q": 0}  # ops below have one

    @staticmethod
    def op(number: int) -> tuple[int, int, tuple[int, int] | None]:
        """First and last sequence id, and chunk, of the numbered send of a client."""
        base, part = divmod(number, 6)
        start = base * 10
        return [
            (start, start, None),
            (start + 1, start + 4, None),
            (start + 5, start + 5, (0, 3)),
            (start + 5, start + 5, (1, 3)),
            (start + 5, start + 5, (2, 3)),
            (start + 6, start + 6, None),
        ][part]

    names = st.sampled_from("pq")

    @rule(name=names, count=st.integers(1, 8))
    def send(self, name: str, count: int) -> None:
        for _ in range(count):
            first, last, chunk = self.op(self.next_op[name])
            verdict = self.world.send(name, first, last, chunk)
            if verdict is STORED:
                payload = payload_of(name, first, last, chunk)
                assert (name, first, last, payload) in self.world.ledger
            if verdict is UNDECIDED:
                assert self.world.pending, "it would never be decided"
                self.go_back(name)  # the error ends the connection
                return
            self.next_op[name] += 1

    @rule(name=names)
    def go_back(self, name: str) -> None:
        """The client connects anew and sends again what has no receipt."""
        self.next_op[name] = self.receipts[name]

    @rule(count=st.integers(1, 8))
    def confirm(self, count: int) -> None:
        self.world.confirm(count)

    @rule(name=names)
    def receive_receipts(self, name: str) -> None:
        """All that the client sent and that is stored has its receipt."""
        stored = Counter(
            (first, payload) for n, first, _, payload in self.world.ledger if n == name
        )
        while self.receipts[name] < self.next_op[name]:
            first, last, chunk = self.op(self.receipts[name])
            if not stored[first, payload_of(name, first, last, chunk)]:
                return
            self.receipts[name] += 1

    @precondition(lambda self: self.world.pending)
    @rule()
    def fail(self) -> None:
        self.world.fail()
        for name in self.next_op:
            self.go_back(name)

    @rule()
    def snapshot(self) -> None:
        self.world.snapshot()

    @rule(stored=st.integers(0, 8))
    def restart(self, stored: int) -> None:
        """Of what was under way some was stored, and nobody was told."""
        self.world.confirm(stored)
        self.world.restart()
        for name in self.next_op:
            self.go_back(name)

    @invariant()
    def none_twice_and_in_order(self) -> None:
        for name in self.next_op:
            entries = [payload for n, _, _, payload in self.world.ledger if n == name]
            ops = [self.op(number) for number in range(len(entries))]
            assert entries == [payload_of(name, *op) for op in ops]


DedupMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestDedupModel = DedupMachine.TestCase
