"""Streams of random numbers by seed and purpose."""

from magnetar_runtime.sim.draws import LoopShape, stream


def test_a_stream_is_decided_by_seed_and_purpose() -> None:
    def numbers(seed: int, purpose: str) -> list[int]:
        rng = stream(seed, purpose)
        return [rng.randrange(1 << 30) for _ in range(4)]

    assert numbers(1, "loop") == numbers(1, "loop")
    assert numbers(1, "loop") != numbers(2, "loop")
    assert numbers(1, "loop") != numbers(1, "network")
    assert numbers(7, "loop")[0] == 900_045_502, "the same in every process and every release"


def test_shapes_are_drawn_and_fair() -> None:
    shapes = {LoopShape.draw(stream(seed, "shape")) for seed in range(100)}
    assert len(shapes) > 10
    assert max(shape.late_max_us for shape in shapes) <= 1_000
    assert min(shape.turn_max_us for shape in shapes) > 0, "polling must let time pass"
