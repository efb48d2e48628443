"""The limit on what delayed indexes take together."""

from magnetar_broker.dispatch.delayed_memory import DelayedMemory


class Index:
    def __init__(self, rows: int = 0) -> None:
        self.sealable_rows = rows
        self.relieved = 0
        self.room = 0

    def relieve(self) -> None:
        self.relieved += 1

    def on_room(self) -> None:
        self.room += 1


def test_from_a_half_on_the_largest_gives_up_rows_one_at_a_time() -> None:
    memory, small, large = DelayedMemory(100), Index(1), Index(5)
    memory.set_used(small, 10)
    memory.set_used(large, 39)
    assert (small.relieved, large.relieved) == (0, 0)
    memory.set_used(small, 11)
    memory.set_used(small, 12)
    assert (small.relieved, large.relieved) == (0, 1)
    memory.relieved(small)  # not the one that it waits for
    memory.set_used(small, 60)
    assert (small.relieved, large.relieved) == (0, 1)
    large.sealable_rows = 0
    memory.relieved(large)
    assert (small.relieved, large.relieved) == (1, 1)


def test_nobody_is_asked_who_has_nothing_to_give() -> None:
    memory, index = DelayedMemory(100), Index(0)
    memory.set_used(index, 90)
    assert index.relieved == 0


def test_few_rows_are_not_worth_a_bucket() -> None:
    memory, index = DelayedMemory(64 << 20), Index(1_023)
    memory.set_used(index, 40 << 20)
    assert index.relieved == 0
    index.sealable_rows = 1_024
    # A look goes over all indexes, so the next one comes when more is used.
    memory.set_used(index, (40 << 20) + 72)
    assert index.relieved == 0
    memory.set_used(index, (40 << 20) + (256 << 10))
    assert index.relieved == 1


def test_many_small_indexes_give_up_rows_too() -> None:
    memory, count = DelayedMemory(64 << 20), 1_000
    small = [Index(400) for _ in range(count)]
    for index in small:
        memory.set_used(index, 33_600)
    assert sum(index.relieved for index in small) == 0  # 4 of 64 MiB, at ten bytes per row
    for index in small:
        index.sealable_rows = 600
    for index in small:
        memory.set_used(index, 43_200)
    assert sum(index.relieved for index in small) == 1
    for _ in range(count):
        [asked] = [index for index in small if index.relieved and index.sealable_rows]
        asked.sealable_rows = 0
        memory.set_used(asked, 0)
        memory.relieved(asked)
        if memory.used_bytes < memory.max_bytes // 2:
            break
    assert not [index for index in small if index.relieved and index.sealable_rows]
    assert sum(index.relieved for index in small) > 10


def test_who_is_held_back_has_others_looked_at_again() -> None:
    memory, index, other = DelayedMemory(64 << 20), Index(5), Index(0)
    memory.set_used(index, 64 << 20)
    assert index.relieved == 0
    index.sealable_rows = 2_000
    assert memory.hold_back(other)
    assert index.relieved == 1
    assert memory.hold_back(other)
    assert index.relieved == 1


def test_at_the_limit_all_are_held_back_until_there_is_room() -> None:
    memory, full, other = DelayedMemory(100), Index(), Index()
    assert not memory.hold_back(other)
    memory.set_used(full, 100)
    assert memory.full
    assert memory.hold_back(other)
    memory.set_used(full, 100)
    assert other.room == 0
    memory.set_used(full, 99)
    memory.set_used(full, 98)
    assert (other.room, full.room) == (1, 0)
    memory.set_used(full, 0)
    assert memory.used_bytes == 0
