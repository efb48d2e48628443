"""Runs of entry ids: first and last, ascending, none overlapping another. Pure."""

from collections.abc import Iterable, Iterator

IdRun = tuple[int, int]


def subtract(runs: Iterable[IdRun], others: Iterable[IdRun]) -> Iterator[IdRun]:
    """The ids of `runs` that `others` lack, made as they are taken."""
    rest = iter(others)
    other = next(rest, None)
    for begin, end in runs:
        first = begin
        while other is not None and other[0] <= end:
            if other[1] >= first:
                if other[0] > first:
                    yield first, other[0] - 1
                first = other[1] + 1
            if other[1] > end:
                break  # it may reach into the next run
            other = next(rest, None)
        if first <= end:
            yield first, end


def intersect(runs: Iterable[IdRun], others: Iterable[IdRun]) -> Iterator[IdRun]:
    """The ids that both have, made as they are taken."""
    rest = iter(others)
    other = next(rest, None)
    for begin, end in runs:
        while other is not None and other[0] <= end:
            first, last = max(begin, other[0]), min(end, other[1])
            if first <= last:
                yield first, last
            if other[1] > end:
                break
            other = next(rest, None)


def split(run: IdRun, others: Iterable[IdRun]) -> Iterator[tuple[int, int, bool]]:
    """The pieces of a run, in order, and whether the others have them."""
    first, end = run
    for begin, last in intersect([run], others):
        if begin > first:
            yield first, begin - 1, False
        yield begin, last, True
        first = last + 1
    if first <= end:
        yield first, end, False


class GrowingRuns:
    """Runs that grow at their end; what lies before it is known already and passed over."""

    def __init__(self) -> None:
        self.runs: list[IdRun] = []

    def add(self, first: int, last: int) -> None:
        """Ids that are not below those added before."""
        if not self.runs or first > self.runs[-1][1] + 1:
            self.runs.append((first, last))
        elif last > self.runs[-1][1]:
            self.runs[-1] = (self.runs[-1][0], last)


def count_ids(runs: Iterable[IdRun]) -> int:
    """How many ids these are."""
    return sum(last - first + 1 for first, last in runs)
