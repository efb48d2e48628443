"""One tree, so that a caller can catch all of it."""

from bench import errors


def test_all_are_bench_errors() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    assert len(kinds) == 5
    assert all(issubclass(kind, errors.BenchError) for kind in kinds)
