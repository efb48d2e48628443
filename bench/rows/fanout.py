"""(d) One topic to ten subscriptions with raw consumers."""

from typing import Any, Final

from bench.errors import MeasurementError
from bench.row import Figure, Plan, Row
from bench.servers import Server
from bench.workers import Worker, measure

SUBSCRIPTIONS: Final = 10
PAYLOAD_BYTES: Final = 1024
MESSAGES_PER_SECOND: Final = 5000
"""How many messages are produced per second of the plan; they go out as fast as they can."""
LONGEST_S: Final = 600.0


def fan_out(server: Server, plan: Plan, subscriptions: int = SUBSCRIPTIONS) -> dict[str, Any]:
    """Deliveries per second from the first send until the last subscription has everything."""
    topic, messages = plan.topic("fan-out"), int(plan.seconds * MESSAGES_PER_SECOND)
    consumers = Worker(
        "raw_consumer",
        port=server.port,
        topic=topic,
        subscriptions=[f"sub-{index}" for index in range(subscriptions)],
        messages=messages,
        seconds=LONGEST_S,
    )
    try:
        consumers.wait_ready()
        produced = measure(
            "raw_producer",
            LONGEST_S,
            port=server.port,
            topics=[topic],
            payload_bytes=PAYLOAD_BYTES,
            seconds=LONGEST_S,
            messages=messages,
        )
        received = consumers.result(LONGEST_S)
    finally:
        consumers.kill()
    if received["messages"] != messages * subscriptions:
        raise MeasurementError(f"{received['messages']} came of {messages * subscriptions}")
    elapsed_s = received["ended_s"] - produced["began_s"]
    return {
        "messages": messages,
        "seconds": round(elapsed_s, 3),
        "deliveries_per_s": round(received["messages"] / elapsed_s, 1),
        "published_per_s": produced["entries_per_s"],
    }


ROWS: Final = [
    Row(
        name="ten_subscriptions",
        title="one topic to ten subscriptions, raw, 1 KB",
        figures=(Figure("deliveries_per_s", "deliveries/s", 1.0),),
        measure=fan_out,
    )
]
