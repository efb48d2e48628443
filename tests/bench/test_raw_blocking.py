"""One at a time."""

from bench import raw_blocking
from bench.servers import Server


def test_every_send_is_timed(null_server: Server) -> None:
    figures = raw_blocking.run(null_server.port, "persistent://public/default/t", 1024, 0.05)
    assert figures["messages"] > 1
    assert 0 < figures["mean_ms"] < 50
