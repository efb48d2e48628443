"""A standalone broker in a process of its own, for tests.

    with Broker(tmp_path) as broker:
        client = Client(broker.service_url)
        broker.kill()
        broker.start()      # the same ports, the same data

It needs the extra `server`. The process ends with the block, with the interpreter, and, where the
system can see to that, with a parent that was killed.
"""

import importlib.util
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Self

from magnetar.testing.chaos_thread import ChaosThread
from magnetar.testing.processes import Process, kill_group, start_group

_HOST: Final = "127.0.0.1"
_READY: Final = "standalone ready in "
_POLL_S: Final = 0.005
_START_TIMEOUT_S: Final = 60.0
_STOP_TIMEOUT_S: Final = 60.0
_SHOWN_CHARACTERS: Final = 3000


class BrokerError(Exception):
    """The broker did not start or stop as it should; the message has the end of its output."""


class Broker:
    """A broker with a directory and two ports that stay the same over restarts.

    Attributes:
        directory: holds the data and the log.
        settings: keys of Pulsar's `standalone.conf`, by name.
        port: of the binary protocol.
        web_port: of HTTP.
    """

    def __init__(
        self,
        directory: Path | str,
        settings: Mapping[str, str] | None = None,
        *,
        command: Sequence[str] | None = None,
    ) -> None:
        """Args:
        directory: where data and log go; it is made if need be.
        settings: keys of Pulsar's `standalone.conf`, by name.
        command: the `magnetar` command; that of this interpreter by default.
        """
        self.directory = Path(directory)
        self.settings = dict(settings or {})
        self.port = free_port()
        self.web_port = free_port()
        self._command = list(command or (sys.executable, "-m", "magnetar_cli"))
        self._process: Process | None = None
        self._log_start = 0

    @property
    def service_url(self) -> str:
        """What clients connect to."""
        return f"pulsar://{_HOST}:{self.port}"

    @property
    def web_url(self) -> str:
        """Where the admin API is."""
        return f"http://{_HOST}:{self.web_port}"

    @property
    def log_path(self) -> Path:
        """What it prints."""
        return self.directory / "broker.log"

    @property
    def running(self) -> bool:
        """Whether its process lives."""
        return self._process is not None and self._process.poll() is None

    def start(self, timeout_s: float = _START_TIMEOUT_S) -> None:
        """Start it, and wait until it serves.

        Raises:
            BrokerError: it ended, or does not serve in time.
        """
        assert self._process is None, "already running"
        _check_server()
        self.directory.mkdir(parents=True, exist_ok=True)
        self._log_start = self.log_path.stat().st_size if self.log_path.exists() else 0
        self._process = start_group(self._arguments(), self.log_path)
        try:
            self._wait_ready(self._process, time.monotonic() + timeout_s)
        except BaseException:
            self.kill()
            raise

    def stop(self, timeout_s: float = _STOP_TIMEOUT_S) -> None:
        """A clean stop (SIGTERM); nothing if it does not run.

        Raises:
            BrokerError: it failed, or does not stop in time; it is killed then.
        """
        process = self._process
        if process is None:
            return
        process.terminate()
        process.send_signal(signal.SIGCONT)  # one that is paused could not obey
        try:
            code: int | None = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            code = None
        self.kill()
        if code is None:
            raise BrokerError(f"still running {timeout_s} s after SIGTERM:\n{self.output()}")
        if code != 0:
            raise BrokerError(f"the broker ended with {code}:\n{self.output()}")

    def kill(self) -> None:
        """End it at once (SIGKILL); the data stay as they are."""
        process, self._process = self._process, None
        if process is not None:
            kill_group(process)

    def restart(self) -> None:
        """A clean stop, and a start on the same data and ports."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Freeze it (SIGSTOP): connections stay open, and nothing is answered."""
        assert self._process is not None, "not running"
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause`."""
        assert self._process is not None, "not running"
        self._process.send_signal(signal.SIGCONT)

    def fault(self, seed: int = 0) -> ChaosThread:
        """A proxy in front of it that fails on order: a context manager, see `ChaosThread`."""
        return ChaosThread(_HOST, self.port, seed=seed)

    def wipe(self) -> None:
        """Remove the data and the log of a broker that does not run."""
        assert self._process is None, "still running"
        shutil.rmtree(self.directory, ignore_errors=True)

    def output(self) -> str:
        """The end of what it has printed since the last start."""
        with self.log_path.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")[-_SHOWN_CHARACTERS:]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def _arguments(self) -> list[str]:
        ports = {"brokerServicePort": str(self.port), "webServicePort": str(self.web_port)}
        arguments = [*self._command, "standalone", "--data-dir", str(self.directory / "data")]
        for key, value in {**self.settings, **ports}.items():
            arguments += ["--set", f"{key}={value}"]
        return arguments

    def _wait_ready(self, process: Process, deadline_s: float) -> None:
        while _READY not in self.output():
            if process.poll() is not None:
                raise BrokerError(f"the broker ended with {process.returncode}:\n{self.output()}")
            if time.monotonic() > deadline_s:
                raise BrokerError(f"the broker does not serve in time:\n{self.output()}")
            time.sleep(_POLL_S)


def free_port() -> int:
    """A TCP port of the loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])


def _check_server() -> None:
    if importlib.util.find_spec("lmdb") is None:
        raise BrokerError("a broker needs more libraries: pip install 'magnetar[server]'")
