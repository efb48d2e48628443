"""kill -9 of a standalone under load, again and again, and a count of what was lost.

`python -m tests.crash.kill_loop --cycles 25` prints a JSON summary and fails if anything is wrong.
"""

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.servers import ApachePulsar, Magnetar, Server
from tests.crash.history import Verdict
from tests.crash.load import PATIENCE_S, Load, LoggedProducer
from tests.interop.official import Session

LOAD_BEFORE_KILL_S = (0.3, 1.5)
LOAD_AFTER_KILL_S = 0.3


@dataclass
class Summary:
    """What a number of cycles gave."""

    cycles: int = 0
    acknowledged: int = 0
    read: int = 0
    lost: int = 0
    phantoms: int = 0
    order_breaks: int = 0
    repeats: int = 0
    failures: int = 0
    ready_s: list[float] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether nothing was lost, invented, reordered or refused."""
        return not (self.lost or self.phantoms or self.order_breaks or self.failures)

    def as_json(self) -> dict[str, Any]:
        """The summary with the figures of the starts in place of each start."""
        figures = asdict(self)
        ready_s = figures.pop("ready_s") or [0.0]
        return {
            **figures,
            "ready_median_s": round(statistics.median(ready_s), 3),
            "ready_max_s": round(max(ready_s), 3),
        }


class KillLoop:
    """Cycles of load, kill -9, start and audit on one data directory."""

    def __init__(self, server: Server, rng: random.Random, patience_s: float = PATIENCE_S) -> None:
        self.server = server
        self.summary = Summary()
        self._rng = rng
        self._patience_s = patience_s
        self._loads: list[Load] = []
        self._verdicts: dict[LoggedProducer, Verdict] = {}

    @property
    def clean_so_far(self) -> bool:
        """Whether the audits until now found nothing."""
        return all(verdict.clean for verdict in self._verdicts.values())

    def run(self, cycles: int, go_on: Callable[[], bool] = lambda: True) -> Summary:
        """Runs the cycles (fewer if `go_on` says no), then audits the topics of all of them."""
        self.server.start()
        for number in range(cycles):
            if not go_on():
                break
            self._cycle(number)
        for load in self._loads:
            self._audit(load)
        self.server.stop()
        for name in ("lost", "phantoms", "order_breaks", "repeats"):
            setattr(self.summary, name, sum(getattr(v, name) for v in self._verdicts.values()))
        return self.summary

    def _cycle(self, number: int) -> None:
        """One kill; the clients live through it and resend what has no receipt."""
        with Session(self.server, quiet=True) as session:
            topics = f"persistent://public/default/kill-{number}"
            load = Load(self.server, session, topics, self._patience_s)
            load.start()
            try:
                time.sleep(self._rng.uniform(*LOAD_BEFORE_KILL_S))
                self.server.kill()
                self.summary.ready_s.append(self.server.start())
                time.sleep(LOAD_AFTER_KILL_S)
                load.stop()
            finally:
                load.abandon()
        self.summary.cycles += 1
        self.summary.acknowledged += sum(len(each.acknowledged) for each in load.producers)
        self.summary.failures += sum(len(each.failures) for each in load.producers)
        self._loads.append(load)
        self._audit(load)

    def _audit(self, load: Load) -> None:
        self.summary.read += load.read_all()
        for producer in load.producers:
            verdict = producer.verdict()
            self._verdicts[producer] = verdict.worst(self._verdicts.get(producer, verdict))


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=25)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop after that long")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--apache", action="store_true", help="Apache Pulsar, for comparison")
    options = parser.parse_args()
    deadline_s = time.monotonic() + options.minutes * 60
    with tempfile.TemporaryDirectory(prefix="kill-loop-") as directory:
        kind = ApachePulsar if options.apache else Magnetar
        loop = KillLoop(kind(Path(directory)), random.Random(options.seed))
        summary = loop.run(options.cycles, lambda: time.monotonic() < deadline_s)
    print(json.dumps({"seed": options.seed, **summary.as_json()}))
    return 0 if summary.clean else 1


if __name__ == "__main__":
    sys.exit(main())
