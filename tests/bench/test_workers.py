"""Workers answer in JSON, or their failure is an error."""

import pytest

from bench.errors import WorkerError
from bench.ports import free_port
from bench.servers import Server
from bench.workers import Worker, measure


def test_figures_come_back(null_server: Server) -> None:
    figures = measure(
        "raw_blocking", 5, port=null_server.port, topic="t", payload_bytes=1024, seconds=0.01
    )
    assert figures["messages"] >= 1


def test_a_failing_worker_is_an_error() -> None:
    with pytest.raises(WorkerError, match="ended with 1"):
        measure("raw_blocking", 5, port=free_port(), topic="t", payload_bytes=1024, seconds=0.01)


def test_ready_is_waited_for() -> None:
    worker = Worker("raw_blocking", port=free_port(), topic="t", payload_bytes=1, seconds=1)
    with pytest.raises(WorkerError, match="instead of ready"):
        worker.wait_ready()
    worker.kill()
