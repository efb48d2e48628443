"""(e) From exec to the first receipt. (f) Memory of all processes, idle and after load."""

import time
from typing import Any, Final

from bench.batch import SendBatch
from bench.errors import MeasurementError, WireError
from bench.memory import group_memory_bytes
from bench.raw_connection import SETUP_TIMEOUT_S
from bench.raw_sender import RawSender
from bench.row import Figure, Plan, Row
from bench.rows.raw import ROLL_OVER, load
from bench.servers import Server

FIRST_RECEIPT_TARGET: Final = 1 / 8
IDLE_TARGET: Final = 1 / 5
LOADED_TARGET: Final = 1 / 4
RETRY_INTERVAL_S: Final = 0.005
PAYLOAD_BYTES: Final = 100
MEGABYTE: Final = 1_000_000


def first_receipt(server: Server, plan: Plan) -> dict[str, Any]:
    """Starts a server on an empty directory and sends until a receipt comes."""
    batch = SendBatch(PAYLOAD_BYTES)
    process = server.launch()
    deadline_s = process.started_at_s + SETUP_TIMEOUT_S
    while not _send_one(server.port, plan.topic("first"), batch):
        process.check_alive()
        if time.monotonic() > deadline_s:
            raise MeasurementError("no receipt")
        time.sleep(RETRY_INTERVAL_S)
    return {"first_receipt_s": round(time.monotonic() - process.started_at_s, 3)}


def _send_one(port: int, topic: str, batch: SendBatch) -> bool:
    try:
        sender = RawSender(port, topic, batch)
        sender.connection.socket.settimeout(SETUP_TIMEOUT_S)
        sender.send_up_to(1)
        received = sender.receive()
    except (OSError, WireError):  # not there yet
        return False
    sender.connection.close()
    return received == 1


def memory(server: Server, plan: Plan) -> dict[str, Any]:
    """Memory of the server's processes a while after its start, and right after a load."""
    server.start()
    assert server.process is not None
    group = server.process.pid
    time.sleep(plan.idle_seconds)
    idle_bytes = group_memory_bytes(group)
    for payload_bytes in (100, 4096):
        load(server, plan, payload_bytes, 8)
    return {
        "idle_mb": round(idle_bytes / MEGABYTE, 1),
        "loaded_mb": round(group_memory_bytes(group) / MEGABYTE, 1),
    }


ROWS: Final = [
    Row(
        name="first_receipt",
        title="exec to first receipt",
        figures=(Figure("first_receipt_s", "s", FIRST_RECEIPT_TARGET, less_is_better=True),),
        measure=first_receipt,
        starts_itself=True,
    ),
    Row(
        name="memory",
        title="memory of all processes (PSS)",
        figures=(
            Figure("idle_mb", "MB idle", IDLE_TARGET, less_is_better=True),
            Figure("loaded_mb", "MB after load", LOADED_TARGET, less_is_better=True),
        ),
        measure=memory,
        settings=ROLL_OVER,
        starts_itself=True,
    ),
]
