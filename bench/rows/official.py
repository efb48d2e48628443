"""(b) The official Python client, batched and not."""

from typing import Any, Final

from bench.row import Figure, Measure, Plan, Row
from bench.rows.raw import ROLL_OVER
from bench.servers import Server
from bench.workers import measure

PAYLOAD_BYTES: Final = 100


def produce(server: Server, plan: Plan, mode: str, payload_bytes: int) -> dict[str, Any]:
    """Sends with the official client for the time of the plan."""
    return measure(
        "official_producer",
        plan.seconds,
        port=server.port,
        topic=plan.topic(f"official-{mode}"),
        payload_bytes=payload_bytes,
        seconds=plan.seconds,
        mode=mode,
    )


def _measure(mode: str) -> Measure:
    return lambda server, plan: produce(server, plan, mode, PAYLOAD_BYTES)


ROWS: Final = [
    Row(
        name=f"official_{mode}",
        title=f"official Python client, 100 B, {mode}",
        figures=(Figure("messages_per_s", "messages/s"),),
        measure=_measure(mode),
        settings=ROLL_OVER,
    )
    for mode in ("batched", "unbatched")
]
