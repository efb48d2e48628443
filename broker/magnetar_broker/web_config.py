"""What the broker's HTTP sides take from the configuration."""

from dataclasses import dataclass
from typing import Self

from magnetar_runtime.settings_web import WebSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class WebConfig:
    """Bounds of WebSockets and of consuming over HTTP.

    Attributes:
        status_file: Clients may be sent here while it is there (`statusFilePath`); "" is none.
        websockets: Whether they are served.
        max_sockets: WebSockets at one time; 0 is unlimited.
        idle_timeout_ms: A WebSocket on which nothing goes either way for so long is closed.
        ping_interval_s: Pings are sent so often, and have to be answered; 0 or less is off.
        max_frame_bytes: Of one frame that comes in.
        max_consumers: Sessions of consumers over HTTP at one time.
        consumer_idle_ms: A consumer over HTTP that nobody asks for so long ends.
        max_producers: Topics that are produced to over HTTP at one time; above it the one that was
            not used for longest is closed.
        producer_idle_ms: A producer over HTTP is closed after so long.
    """

    status_file: str = ""
    websockets: bool = True
    max_sockets: int = 20_000
    idle_timeout_ms: int = 300_000
    ping_interval_s: float = -1
    max_frame_bytes: int = 1 << 20
    max_consumers: int = 10_000
    consumer_idle_ms: int = 60_000
    max_producers: int = 1_000
    producer_idle_ms: int = 60_000

    @classmethod
    def of(cls, settings: WebSettings) -> Self:
        """What the settings say of it."""
        return cls(
            status_file=settings.status_file,
            websockets=settings.websocket_service,
            max_sockets=settings.max_websockets,
            idle_timeout_ms=settings.websocket_idle_timeout_ms,
            ping_interval_s=settings.websocket_ping_seconds,
            max_frame_bytes=settings.websocket_max_frame_bytes,
        )
