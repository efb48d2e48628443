"""The hash of what happened."""

from magnetar_runtime.sim.trace import Trace


def digest(*events: tuple[int, str, bytes]) -> str:
    trace = Trace()
    for event in events:
        trace.add(*event)
    return trace.digest()


def test_time_text_and_bytes_all_count() -> None:
    base = digest((1, "a", b"x"), (2, "b", b""))
    assert base == digest((1, "a", b"x"), (2, "b", b""))
    assert base != digest((1, "a", b"y"), (2, "b", b""))
    assert base != digest((1, "a", b"x"), (3, "b", b""))
    assert base != digest((1, "a", b"x"), (2, "c", b""))
    assert base != digest((2, "b", b""), (1, "a", b"x"))
    assert base != digest((1, "a", b"x2 b"))


def test_the_tail_is_bounded() -> None:
    trace = Trace()
    for number in range(1_000):
        trace.add(number, "event")
    assert trace.events == 1_000
    assert trace.tail()[-1] == "999 event"
    assert len(trace.tail()) == 200
