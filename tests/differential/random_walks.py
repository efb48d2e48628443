"""Scripts drawn by lot: `python -m tests.differential.random_walks COUNT SEED` writes `walks.txt`.

One producer and one consumer at a time do what they may, so that only one order of replies is
right. The steps are written without replies; `tests.differential.record` puts them in.
"""

import argparse
import random
from collections.abc import Callable, Iterator

from tests.differential.script import DIRECTORY, Script, ScriptFile, Step

STEPS = 14
TYPES = ("Exclusive", "Shared", "Failover", "Key_Shared")
BATCH = 3
_START = 'a PRODUCER topic: "$T" producer_id: 1 request_id: 1 producer_name: "p"'


class Walk:
    """One script as it is drawn."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._requests = 10
        self._sequence = 0
        self._entries: list[int] = []  # messages in each
        self._kind = rng.choice(TYPES)
        self._attached = False
        self.title = f"drawn by lot: {self._kind}"

    def steps(self) -> Iterator[str]:
        """The actions."""
        yield _START
        yield self._send()
        yield from self._subscribe("Earliest")
        for _ in range(STEPS):
            yield from self._any()
        if self._attached:
            yield f"b GET_LAST_MESSAGE_ID consumer_id: 1 request_id: {self._request()}"

    def _any(self) -> Iterator[str]:
        if not self._attached:
            yield from self._rng.choice(
                [self._sends, lambda: self._subscribe(self._rng.choice(["Latest", "Earliest"]))]
            )()
            return
        moves: list[Callable[[], Iterator[str]]] = [
            self._sends,
            self._sends,
            self._flow,
            self._flow,
            self._ack,
            self._ack,
            self._redeliver,
            self._leave,
            self._seek,
            self._stats,
        ]
        yield from self._rng.choice(moves)()

    def _request(self) -> int:
        self._requests += 1
        return self._requests

    def _sends(self) -> Iterator[str]:
        yield self._send()

    def _send(self) -> str:
        count = self._rng.choice([1, 1, BATCH])
        bodies = " ".join(f'"{self._sequence + i}"' for i in range(count))
        text = f"a SEND producer_id: 1 sequence_id: {self._sequence}"
        if count > 1:
            text += f" num_messages: {count} highest_sequence_id: {self._sequence + count - 1}"
        self._sequence += count
        self._entries.append(count)
        return f"{text} | {bodies}"

    def _subscribe(self, position: str) -> Iterator[str]:
        self._attached = True
        yield (
            f'b SUBSCRIBE topic: "$T" subscription: "s" subType: {self._kind} consumer_id: 1 '
            f"request_id: {self._request()} initialPosition: {position}"
        )
        if self._kind == "Failover":
            yield "wait 1300"

    def _flow(self) -> Iterator[str]:
        yield f"b FLOW consumer_id: 1 messagePermits: {self._rng.choice([1, 2, 5])}"

    def _place(self) -> str:
        return f"ledgerId: $L1 entryId: {self._rng.randrange(len(self._entries))}"

    def _ack(self) -> Iterator[str]:
        entry_id = self._rng.randrange(len(self._entries))
        place = f"ledgerId: $L1 entryId: {entry_id}"
        size = self._entries[entry_id]
        if size > 1 and self._rng.random() < 0.6:
            index = self._rng.randrange(size)
            left = (1 << size) - 1 & ~(1 << index)
            place += f" batch_index: {index} ack_set: {left} batch_size: {size}"
            kind = "Individual"
        else:
            cumulative = self._kind in ("Exclusive", "Failover")
            kind = self._rng.choice(["Individual", "Cumulative" if cumulative else "Individual"])
        yield (
            f"b ACK consumer_id: 1 ack_type: {kind} message_id {{ {place} }} "
            f"request_id: {self._request()}"
        )

    def _redeliver(self) -> Iterator[str]:
        ids = "" if self._rng.random() < 0.5 else f" message_ids {{ {self._place()} }}"
        yield f"b REDELIVER_UNACKNOWLEDGED_MESSAGES consumer_id: 1{ids}"

    def _leave(self) -> Iterator[str]:
        self._attached = False
        yield f"b CLOSE_CONSUMER consumer_id: 1 request_id: {self._request()}"

    def _seek(self) -> Iterator[str]:
        self._attached = False
        ends = ["ledgerId: $MAX entryId: $MAX", "ledgerId: $LATEST entryId: $LATEST"]
        place = self._rng.choice([self._place(), self._rng.choice(ends)])
        yield f"b SEEK consumer_id: 1 request_id: {self._request()} message_id {{ {place} }}"

    def _stats(self) -> Iterator[str]:
        yield f"b CONSUMER_STATS request_id: {self._request()} consumer_id: 1"


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int)
    parser.add_argument("seed", type=int)
    arguments = parser.parse_args()
    scripts = []
    for number in range(1, arguments.count + 1):
        walk = Walk(random.Random(f"{arguments.seed}-{number}"))
        steps = [Step(action) for action in walk.steps()]
        scripts.append(Script(f"{walk.title}, {number}", f"walks-{number}", steps))
    path = DIRECTORY / "walks.txt"
    path.write_text(ScriptFile(path, {}, scripts).text())


if __name__ == "__main__":
    main()
