"""The tail cache: a window per ledger, one bound over all topics, the oldest first."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from magnetar_ledger.managed.entry_cache import EntryCache, EntryCacheManager
from magnetar_ledger.position import Position


def fill(cache: EntryCache, ledger_id: int, first: int, payloads: list[bytes]) -> None:
    cache.append(ledger_id, first, payloads, sum(map(len, payloads)))


def test_reads_are_slices_of_one_ledger_with_the_same_objects() -> None:
    cache = EntryCacheManager().new_cache()
    payloads = [bytes([i]) * 10 for i in range(5)]
    fill(cache, 1, 3, payloads)
    found = cache.read(Position(1, 4), 2, 1000)
    assert found == payloads[1:3]
    assert found[0] is payloads[1]
    assert cache.read(Position(1, 4), 9, 25) == payloads[1:3]
    assert cache.read(Position(1, 4), 9, 1) == payloads[1:2]
    for missing in [(1, 2), (1, 8), (2, 3), (1, -1)]:
        assert cache.read(Position(*missing), 1, 1) is None


def test_a_gap_begins_the_window_anew() -> None:
    manager = EntryCacheManager()
    cache = manager.new_cache()
    fill(cache, 1, 0, [b"abc", b"def"])
    fill(cache, 1, 7, [b"gh"])
    assert cache.read(Position(1, 1), 1, 9) is None
    assert cache.read(Position(1, 7), 1, 9) == [b"gh"]
    assert manager.size_bytes == cache.size_bytes == 2


def test_topics_give_way_in_turn() -> None:
    manager = EntryCacheManager(max_bytes=10_000)
    busy, quiet = manager.new_cache(), manager.new_cache()
    fill(quiet, 1, 0, [bytes(1000)] * 4)
    for number in range(100):
        fill(busy, 2, number, [bytes(1000)])
    assert manager.size_bytes <= 10_000
    assert busy.read(Position(2, 99), 1, 1) is not None
    assert quiet.read(Position(1, 0), 1, 1) is None
    busy.clear()
    quiet.clear()
    assert manager.size_bytes == 0


def test_an_entry_larger_than_the_bound_is_not_kept() -> None:
    manager = EntryCacheManager(max_bytes=100)
    cache = manager.new_cache()
    fill(cache, 1, 0, [bytes(1000)])
    assert manager.size_bytes == 0
    fill(cache, 1, 1, [bytes(10)])
    assert cache.read(Position(1, 1), 1, 1) == [bytes(10)]


class CachesAgainstAModel(RuleBasedStateMachine):
    """What is cached is right, is the newest of its ledger, and stays within the bound."""

    def __init__(self) -> None:
        super().__init__()
        self.manager = EntryCacheManager(max_bytes=2_000)
        self.caches = [self.manager.new_cache() for _ in range(3)]
        self.written: list[list[tuple[Position, bytes]]] = [[], [], []]
        self.passed = [Position(0, 0)] * 3

    @rule(which=st.integers(0, 2), lengths=st.lists(st.integers(0, 300), min_size=1, max_size=8))
    def append(self, which: int, lengths: list[int]) -> None:
        written = self.written[which]
        last = written[-1][0] if written else Position(0, -1)
        payloads = [bytes([len(written) % 256]) * length for length in lengths]
        fill(self.caches[which], last.ledger_id, last.entry_id + 1, payloads)
        for number, payload in enumerate(payloads, start=1):
            written.append((Position(last.ledger_id, last.entry_id + number), payload))

    @rule(which=st.integers(0, 2))
    def roll(self, which: int) -> None:
        if self.written[which]:
            ledger_id = self.written[which][-1][0].ledger_id + 1
            fill(self.caches[which], ledger_id, 0, [b"first"])
            self.written[which].append((Position(ledger_id, 0), b"first"))

    @rule(which=st.integers(0, 2), data=st.data())
    def pass_by(self, which: int, data: st.DataObject) -> None:
        if self.written[which]:
            position = data.draw(st.sampled_from(self.written[which]))[0]
            self.caches[which].evict_before(position)
            self.passed[which] = max(self.passed[which], position)

    @invariant()
    def agrees(self) -> None:
        total = 0
        for cache, written, passed in zip(self.caches, self.written, self.passed, strict=True):
            cached = [(p, data) for p, data in written if cache.read(p, 1, 1) == [data]]
            present = [(p, data) for p, data in written if cache.read(p, 1, 1) is not None]
            assert cached == present
            assert all(position >= passed for position, _ in cached)
            assert cached == written[len(written) - len(cached) :], "the newest stay"
            assert cache.size_bytes == sum(len(data) for _, data in cached)
            total += cache.size_bytes
        assert total == self.manager.size_bytes <= 2_000


CachesAgainstAModel.TestCase.settings = settings(
    max_examples=20, stateful_step_count=20, deadline=None
)
TestCachesAgainstAModel = CachesAgainstAModel.TestCase
