"""Which bundles are to go to another broker: from those that have more to do than the average.

After Pulsar's ThresholdShedder: how much of a broker is in use is taken with its past; who is above
the average of all by more than a threshold gives up its bundles of most bytes, until it would not
be. Unlike there a bundle goes only where that helps: a broker that is busy by one bundle alone
would hand its trouble on, to get it back in the next round.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from magnetar_metadata.load_report import LoadReport

    from magnetar_broker.ownership.balance_options import ShedOptions

_MARGIN: Final = 0.05
"""So far below the threshold a broker is brought, or it would be above it again at once."""

_LEAST_GAIN: Final = 1e-6
"""Less is a rounding error: the target would be as busy as the source was."""


class Move(NamedTuple):
    """A bundle that is to go from one broker to another."""

    bundle: str
    source: str
    target: str


class Shedding:
    """The leader's: it remembers how much was in use, and what was moved."""

    def __init__(self, options: ShedOptions) -> None:
        self._options = options
        self._usage: dict[str, float] = {}
        self._moved_ms: dict[str, int] = {}

    def look(self, reports: Mapping[str, LoadReport], now_ms: int) -> list[Move]:
        """What is to be moved now; called once in each interval.

        Args:
            reports: of all brokers that are up, by their names.
            now_ms: on the monotonic clock.
        """
        self._usage = {name: self._with_past(name, each) for name, each in reports.items()}
        oldest_ms = now_ms - self._options.grace_ms
        self._moved_ms = {name: ms for name, ms in self._moved_ms.items() if ms > oldest_ms}
        if len(reports) < 2:
            return []
        average = sum(self._usage.values()) / len(self._usage)
        expected, moves = dict(self._usage), []
        for source in sorted(self._usage, key=lambda name: (-self._usage[name], name)):
            over = self._usage[source] - average - self._options.threshold
            if over >= 0:
                moves += self._moves_from(source, reports[source], over, expected)
        self._moved_ms |= {move.bundle: now_ms for move in moves}
        return moves

    def failed(self, move: Move) -> None:
        """It was not moved: it may be tried in the next round."""
        self._moved_ms.pop(move.bundle, None)

    def _with_past(self, name: str, report: LoadReport) -> float:
        usage = usage_of(report, self._options)
        past = self._usage.get(name, usage)
        return past * self._options.history_share + usage * (1 - self._options.history_share)

    def _moves_from(
        self, source: str, report: LoadReport, over: float, expected: dict[str, float]
    ) -> list[Move]:
        """Changes `expected`, the usage of each broker when all moves are done."""
        loads = {name: load.throughput for name, load in report.bundles.items()}
        total = sum(loads.values())
        goal = total * (over + _MARGIN)
        if total <= 0 or goal < self._options.least_bytes_per_s:
            return []
        moves: list[Move] = []
        gone = 0.0
        for bundle in sorted(loads, key=lambda name: (-loads[name], name)):
            if gone >= goal or not loads[bundle]:
                break
            if bundle in self._moved_ms:
                continue
            share = self._usage[source] * loads[bundle] / total
            target = min(expected, key=lambda name: (expected[name], name))
            gain = expected[source] - expected[target] - share
            if target == source or gain < _LEAST_GAIN:
                continue
            expected[source] -= share
            expected[target] += share
            gone += loads[bundle]
            moves.append(Move(bundle, source, target))
        return moves


def usage_of(report: LoadReport, options: ShedOptions) -> float:
    """How much of a broker is in use, 0 to 1: that of which there is least left."""
    return max(
        report.cpu.share * options.cpu_weight,
        report.bandwidth_in.share * options.in_weight,
        report.bandwidth_out.share * options.out_weight,
    )
