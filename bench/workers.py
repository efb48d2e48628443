"""Load and measurement run in processes of their own; this starts them and takes their JSON."""

import json
import resource
import subprocess
import sys
from collections.abc import Callable
from typing import Any, Final

from bench.errors import WorkerError
from bench.servers import ROOT

GRACE_S: Final = 180.0
"""How much longer than asked a worker may take."""


class Worker:
    """One running worker: `python -m MODULE JSON`, its answer is the last line it prints.

    Args:
        module: one of `bench`, or a dotted name.
    """

    def __init__(self, module: str, **arguments: Any) -> None:
        self.module = module
        self._process = subprocess.Popen(
            [sys.executable, "-m", _dotted(module), json.dumps(arguments)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

    def wait_ready(self) -> None:
        """Waits for the line "ready" that a consumer prints when it is subscribed."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if line != "ready\n":
            raise WorkerError(f"{self.module} said {line!r} instead of ready")

    def result(self, timeout_s: float) -> dict[str, Any]:
        """Waits for the end and returns the figures."""
        try:
            output, _ = self._process.communicate(timeout=timeout_s + GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise WorkerError(f"{self.module} did not end in {timeout_s} s") from None
        if self._process.returncode != 0 or not output:
            raise WorkerError(f"{self.module} ended with {self._process.returncode}")
        figures: dict[str, Any] = json.loads(output.splitlines()[-1])
        return figures

    def kill(self) -> None:
        """Ends it at once if it still runs, and lets go of its output."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


def _dotted(module: str) -> str:
    return module if "." in module else f"bench.{module}"


def measure(module: str, timeout_s: float, **arguments: Any) -> dict[str, Any]:
    """Runs one worker to its end."""
    worker = Worker(module, **arguments)
    try:
        return worker.result(timeout_s)
    finally:
        worker.kill()


def say_ready() -> None:
    """Tells the starter that everything is set up."""
    print("ready", flush=True)


def worker_main(run: Callable[..., dict[str, Any]]) -> None:
    """The main of a worker module: arguments as JSON in, figures as JSON out.

    A server that goes (it may have been killed on purpose) is one line on stderr and status 1.
    """
    try:
        figures = run(**json.loads(sys.argv[1]))
    except ConnectionError as error:
        sys.exit(f"{sys.argv[0].rpartition('/')[2]}: the server is gone: {error}")
    print(json.dumps({**figures, "max_memory_mb": _max_memory_mb()}), flush=True)


def _max_memory_mb() -> float:
    """The most that this process had resident."""
    per_unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * per_unit / 1e6, 1)
