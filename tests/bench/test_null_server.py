"""The tape of receipts goes on over its end."""

from bench import wire
from bench.batch import FIRST_SEQUENCE_ID, SMALL_CYCLE
from bench.null_server import ReceiptTape
from bench.scanner import scan


def test_receipts_go_on_over_the_end_of_the_tape() -> None:
    tape = ReceiptTape()
    tape.take(SMALL_CYCLE - 2)
    receipts = tape.take(5)
    (run,), rest = scan(receipts, len(receipts))
    assert (run.count, rest) == (5, len(receipts))
    frames = [receipts[i * run.frame_bytes : (i + 1) * run.frame_bytes] for i in range(5)]
    ids = [wire.parse_command(frame)[1][2] for frame in frames]
    first = FIRST_SEQUENCE_ID + SMALL_CYCLE - 2
    assert ids == list(range(first, first + 5))
