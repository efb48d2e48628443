"""Every bound and timeout that protects the process, in one place, units last.

Defaults are Apache Pulsar's where it has the knob. Zero means "no limit" only where Pulsar has it
so, and only for counts that cost no memory by themselves.
"""

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * 1024

MAX_NAME_CHARACTERS = 4096
"""Of a topic with its namespace, a subscription, a producer or a consumer. They stand in paths,
lists, logs and labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one broker."""

    max_message_bytes: int = 5 * MIB
    """Largest payload with its metadata; told to clients in CONNECTED."""

    frame_padding_bytes: int = 10 * KIB
    """Room for the command around a message of the largest size."""

    keep_alive_interval_ms: int = 30_000
    """PING after this; a connection that was silent until the next tick is closed, and one that has
    not finished CONNECT by then."""

    connection_liveness_timeout_ms: int = 5_000
    """How long an old owner of a name may take to answer the PING that a newcomer causes."""

    max_connections: int = 0
    """Open client connections of the broker; 0 = no limit."""

    max_connections_per_address: int = 0
    """Open client connections from one address; 0 = no limit."""

    max_pending_publishes_per_connection: int = 1000
    """Above it the socket is not read; reading goes on at half."""

    max_pending_publish_bytes_per_connection: int = 32 * MIB
    """As before, in payload bytes."""

    max_publish_buffer_bytes: int = 256 * MIB
    """Payload bytes under way of all connections; above it whoever publishes is not read, and all
    go on at half."""

    max_pending_requests_per_connection: int = 1000
    """Lookups, subscribes and the like in work; above it the socket is not read."""

    max_requests_per_turn: int = 16
    """Requests of one connection that are begun in one turn of the loop; what stands behind them in
    the same chunk waits, so that a flood delays others by milliseconds."""

    max_outgoing_bytes_per_connection: int = 1 * MIB
    """Above it nothing is dispatched to the connection until the socket has drained."""

    max_concurrent_lookups: int = 50_000
    """Lookups in work; further ones are answered TooManyRequests."""

    max_concurrent_topic_loads: int = 5_000
    """Topics that are being opened; further ones are answered TooManyRequests."""

    topic_load_timeout_ms: int = 60_000
    """A topic that does not open by then is answered ServiceNotReady."""

    shutdown_timeout_ms: int = 60_000
    """What handing over and closing topics may take when the broker stops. What is open then is
    left as after a kill: the next owner recovers it."""

    max_topic_pattern_length: int = 50
    """Characters of a pattern of topic names; a longer one is left to the client."""

    max_topic_watches_per_connection: int = 1000
    """Lists of topics that one client follows."""

    topic_watch_delay_ms: int = 50
    """Changes of a list of topics are told this long after the first of them."""

    max_producers_per_topic: int = 0
    max_topics_per_namespace: int = 0
    max_partitions_per_topic: int = 0

    def __post_init__(self) -> None:
        assert self.max_message_bytes > 0
        assert self.max_pending_publishes_per_connection > 0

    @property
    def max_frame_bytes(self) -> int:
        """Largest frame accepted or sent, without its length field."""
        return self.max_message_bytes + self.frame_padding_bytes
