"""Limits and deadlines of connections to bookies."""

import ssl
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BookieNetworkConfig:
    """Defaults are those of Pulsar's configuration where there is one.

    Attributes:
        tls: with which connections go on behind START_TLS; None: in clear.
    """

    use_v2_wire_protocol: bool = True
    use_batch_reads: bool = True  # version 2 only, until a bookie does not know them
    connect_timeout_ms: int = 10_000
    reconnect_pause_ms: int = 100  # after a connect that failed calls end at once for so long
    request_timeout_ms: int = 30_000
    max_pending_add_bytes: int = 16 * 1024 * 1024  # of one bookie, before `writable` turns false
    hard_max_pending_add_bytes: int = 128 * 1024 * 1024  # further adds are refused
    max_pending_reads: int = 10_000  # further ones are refused
    pipelined_read_entries: int = 32  # asked for at once where there are no batch reads
    tls: ssl.SSLContext | None = None
