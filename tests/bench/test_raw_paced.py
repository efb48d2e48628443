"""The paced load keeps its rate."""

from bench import raw_paced
from bench.servers import Server


def test_rate_is_kept(null_server: Server) -> None:
    figures = raw_paced.run(
        null_server.port, "persistent://public/default/t", 1024, rate=5000, messages=500
    )
    assert figures["messages"] == 500
    assert figures["seconds"] >= 499 / 5000
    assert figures["receipt_p50_ms"] > 0
