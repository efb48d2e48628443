"""The keys of `broker.conf` that say how WebSockets and produce and consume over HTTP work."""

from dataclasses import dataclass

from magnetar_runtime.conf import setting


@dataclass(frozen=True, kw_only=True)
class DoorSettings:
    """Of every HTTP server."""

    http_allowed_origins: str = setting(
        "httpAllowedOrigins",
        "",
        "Origins of web pages that may use HTTP here, such as https://console.example; comma "
        "separated, besides the server's own. Ours.",
    )


@dataclass(frozen=True, kw_only=True)
class WebSettings(DoorSettings):
    """Of the broker's HTTP side."""

    status_file: str = setting(
        "statusFilePath", "", "/status.html answers OK while this file is there; else 404."
    )

    websocket_service: bool = setting(
        "webSocketServiceEnabled", True, "Serve WebSockets; true here, as in standalone.conf."
    )
    websocket_idle_timeout_ms: int = setting(
        "webSocketSessionIdleTimeoutMillis", 300_000, "End a WebSocket that is silent so long."
    )
    websocket_ping_seconds: int = setting(
        "webSocketPingDurationSeconds", -1, "PING WebSockets so often; -1 = never."
    )
    websocket_max_frame_bytes: int = setting(
        "webSocketMaxTextFrameSize", 1 << 20, "Largest frame that is taken of a WebSocket."
    )
    max_websockets: int = setting("webSocketMaxSockets", 20_000, "Open at one time. Ours.")
