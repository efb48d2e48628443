"""(i) Web clients: REST produce of batches beside Apache Pulsar's WebSocket, and WebSockets."""

from typing import Any, Final

from bench.row import Figure, Plan, Row
from bench.servers import Magnetar, Server
from bench.workers import measure

PAYLOAD_BYTES: Final = 100
BATCH: Final = 1000
CONNECTIONS: Final = 2


def produce(server: Server, plan: Plan, kind: str, *, batching: bool = False) -> dict[str, Any]:
    """Two connections with 1,000 messages under way each."""
    return measure(
        "web_producer",
        plan.seconds,
        port=server.web_port,
        kind=kind,
        topics=[plan.topic(f"{kind}-{index}") for index in range(CONNECTIONS)],
        payload_bytes=PAYLOAD_BYTES,
        batch=BATCH,
        seconds=plan.seconds,
        batching=batching,
    )


def batches(server: Server, plan: Plan) -> dict[str, Any]:
    """What has no REST produce of batches that is meant for speed gets a WebSocket."""
    return produce(server, plan, _quickest(server))


def shared_entries(server: Server, plan: Plan) -> dict[str, Any]:
    """The same with messages that share entries."""
    return produce(server, plan, _quickest(server), batching=True)


def _quickest(server: Server) -> str:
    return "rest" if isinstance(server, Magnetar) else "websocket"


def sockets(server: Server, plan: Plan) -> dict[str, Any]:
    """The same on both."""
    return produce(server, plan, "websocket")


_FIGURES: Final = (Figure("messages_per_s", "messages/s"),)

ROWS: Final = [
    Row(
        name="web_batches",
        title="REST produce of 1,000 x 100 B, beside Pulsar's WebSocket",
        figures=_FIGURES,
        measure=batches,
    ),
    Row(
        name="web_batching",
        title="the same, each with `batchingEnabled=true`",
        figures=_FIGURES,
        measure=shared_entries,
    ),
    Row(name="web_sockets", title="WebSockets, 100 B", figures=_FIGURES, measure=sockets),
]
