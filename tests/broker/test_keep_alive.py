"""The keep-alive wheel: every member once per round, first after a whole round."""

from hypothesis import given
from hypothesis import strategies as st
from magnetar_broker.keep_alive import KeepAliveWheel


def test_first_time_after_a_whole_round() -> None:
    wheel: KeepAliveWheel[str] = KeepAliveWheel(slots=4)
    wheel.step()
    wheel.add("a")
    assert [wheel.step() for _ in range(4)] == [[], [], [], ["a"]]
    assert [wheel.step() for _ in range(4)] == [[], [], [], ["a"]]


def test_forgotten_member() -> None:
    wheel: KeepAliveWheel[str] = KeepAliveWheel(slots=2)
    wheel.add("a")
    wheel.discard("a")
    wheel.discard("a")
    assert len(wheel) == 0
    assert [wheel.step() for _ in range(4)] == [[]] * 4


@given(st.lists(st.integers(min_value=0, max_value=5), max_size=20))
def test_each_member_once_per_round(steps_before: list[int]) -> None:
    wheel: KeepAliveWheel[int] = KeepAliveWheel(slots=3)
    for member, steps in enumerate(steps_before):
        for _ in range(steps):
            wheel.step()
        wheel.add(member)
    for _ in range(3):
        wheel.step()
    due = [member for _ in range(3) for member in wheel.step()]
    assert sorted(due) == list(range(len(steps_before)))
