"""The HTTP server that all services of a bookkeeper.conf begin with."""

from magnetar_runtime.clock import Clock
from magnetar_runtime.counters import Counters
from magnetar_runtime.http import HttpServer
from magnetar_runtime.settings_bookie import BookieServiceSettings


def heartbeat_server(
    settings: BookieServiceSettings, counters: Counters, clock: Clock
) -> HttpServer:
    """It answers `/heartbeat` and is not started."""
    server = HttpServer(
        settings.web_hosts,
        settings.http_server_port,
        counters=counters,
        clock=clock,
        allowed_origins=settings.http_allowed_origins,
    )
    server.add_text("/heartbeat", lambda: "OK\n")
    return server
