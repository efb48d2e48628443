"""The brokers under test, each behind the same few verbs: start, stop, kill, wipe."""

import http.client
import json
import os
import shutil
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bench.errors import ServerError
from bench.ports import HOST, free_port
from bench.processes import ServerProcess

ROOT: Final = Path(__file__).resolve().parent.parent
APACHE: Final = ROOT / "tests" / "interop" / "peers" / "apache"
START_TIMEOUT_S: Final = 120.0


class Server:
    """A broker with a data directory and two ports that stay the same over restarts.

    Attributes:
        name: What results call it.
        settings: Configuration keys of Pulsar that differ from the server's defaults.
    """

    name = "server"

    def __init__(self, directory: Path, settings: Mapping[str, str] | None = None) -> None:
        self.directory = directory
        self.settings = dict(settings or {})
        self.port = free_port()
        self.web_port = free_port()
        self.process: ServerProcess | None = None

    @property
    def service_url(self) -> str:
        """What clients connect to."""
        return f"pulsar://{HOST}:{self.port}"

    @property
    def web_url(self) -> str:
        """Where the admin API is."""
        return f"http://{HOST}:{self.web_port}"

    @property
    def data_directory(self) -> Path:
        """Everything the server keeps on disk."""
        return self.directory / "data"

    @property
    def log_path(self) -> Path:
        """The server's output."""
        return self.directory / f"{self.name}.log"

    def launch(self) -> ServerProcess:
        """Starts the process without waiting for it to be ready."""
        assert self.process is None, "already running"
        self.data_directory.mkdir(parents=True, exist_ok=True)
        self.process = ServerProcess(
            self._command(), self.log_path, self._environment(), self.directory
        )
        return self.process

    def start(self, timeout_s: float = START_TIMEOUT_S) -> float:
        """Starts it, waits until it serves and returns how many seconds that took."""
        process = self.launch()
        try:
            self._wait_ready(process, timeout_s)
        except BaseException:
            self.kill()
            raise
        return time.monotonic() - process.started_at_s

    def stop(self) -> int:
        """A clean stop (SIGTERM); returns the exit code."""
        assert self.process is not None, "not running"
        process, self.process = self.process, None
        return process.terminate()

    def kill(self) -> None:
        """kill -9; the data directory stays as it is."""
        if self.process is not None:
            process, self.process = self.process, None
            process.kill()

    def wipe(self) -> None:
        """Removes all data and the log."""
        assert self.process is None, "still running"
        shutil.rmtree(self.directory, ignore_errors=True)

    def _command(self) -> list[str]:
        raise NotImplementedError

    def _environment(self) -> dict[str, str]:
        return {}

    def _wait_ready(self, process: ServerProcess, timeout_s: float) -> None:
        raise NotImplementedError


class Magnetar(Server):
    """`magnetar standalone` of this checkout, or the command named by $MAGNETAR."""

    name = "magnetar"

    def _command(self) -> list[str]:
        ports = {"brokerServicePort": str(self.port), "webServicePort": str(self.web_port)}
        command = [*magnetar_command(), "standalone", "--data-dir", str(self.data_directory)]
        for key, value in {**self.settings, **ports}.items():
            command += ["--set", f"{key}={value}"]
        return command

    def _environment(self) -> dict[str, str]:
        # Where bytecode is not kept, each start would compile what an installation has compiled.
        return {**super()._environment(), "PYTHONDONTWRITEBYTECODE": ""}

    def _wait_ready(self, process: ServerProcess, timeout_s: float) -> None:
        process.wait_for_line("standalone ready in ", timeout_s)


class ApachePulsar(Server):
    """Apache Pulsar standalone from Maven Central, journal synced unless `synced` is false."""

    def __init__(
        self,
        directory: Path,
        settings: Mapping[str, str] | None = None,
        *,
        name: str = "pulsar",
        synced: bool = True,
    ) -> None:
        super().__init__(directory, settings)
        self.name = name
        self.synced = synced

    def _command(self) -> list[str]:
        ports = {"brokerServicePort": str(self.port), "webServicePort": str(self.web_port)}
        conf = self.directory / "extra.conf"
        lines = [f"{key}={value}\n" for key, value in {**self.settings, **ports}.items()]
        conf.write_text("".join(lines))
        return [str(APACHE), "standalone", str(conf)]

    def _environment(self) -> dict[str, str]:
        return {
            "PEERS_DATA": str(self.data_directory),
            "PEER_LOG": "warn",
            "PEER_FSYNC": str(self.synced).lower(),
        }

    def _wait_ready(self, process: ServerProcess, timeout_s: float) -> None:
        deadline_s = time.monotonic() + timeout_s
        while not self._has_default_namespace():
            process.check_alive()
            if time.monotonic() > deadline_s:
                raise ServerError(f"not ready in {timeout_s} s:\n{process.output()[-3000:]}")
            time.sleep(0.05)

    def _has_default_namespace(self) -> bool:
        # "ready" is answered before public/default exists, and clients then fail for good.
        if get(self.web_port, "/admin/v2/brokers/ready")[0] != 200:
            return False
        status, body = get(self.web_port, "/admin/v2/namespaces/public")
        return status == 200 and "public/default" in json.loads(body)


class PulsarLite(Server):
    """The `pulsar-lite` binary of PyPI: in memory, never syncs; for orientation only."""

    name = "pulsar-lite"

    def _command(self) -> list[str]:
        binary = os.environ["PULSAR_LITE"]
        database = self.data_directory / "lite.db"
        address = f"{HOST}:{self.port}"
        return [binary, "--addr", address, "--db-path", str(database), "--log-level", "error"]

    def _wait_ready(self, process: ServerProcess, timeout_s: float) -> None:
        wait_for_port(process, self.port, timeout_s)


class NullServer(Server):
    """Answers every send at once and stores nothing: the ceiling of the raw loader."""

    name = "null"

    def _command(self) -> list[str]:
        return [sys.executable, "-m", "bench.null_server", str(self.port)]

    def _environment(self) -> dict[str, str]:
        return {"PYTHONPATH": str(ROOT)}

    def _wait_ready(self, process: ServerProcess, timeout_s: float) -> None:
        wait_for_port(process, self.port, timeout_s)


def magnetar_command() -> list[str]:
    """How to run the `magnetar` command of this interpreter's environment."""
    if "MAGNETAR" in os.environ:
        return os.environ["MAGNETAR"].split()
    script = Path(sys.executable).with_name("magnetar")
    if script.exists():
        return [str(script)]
    return [sys.executable, "-c", "from magnetar_cli.main import main; main()"]


def get(port: int, path: str) -> tuple[int, bytes]:
    """GET from loopback: status and body, or (0, b"") if nobody answers."""
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()


def wait_for_port(process: ServerProcess, port: int, timeout_s: float) -> None:
    """Waits until `port` accepts a connection."""
    deadline_s = time.monotonic() + timeout_s
    while True:
        try:
            socket.create_connection((HOST, port), timeout=1).close()
        except OSError:
            process.check_alive()
            if time.monotonic() > deadline_s:
                raise ServerError(f"nobody listens on {port} after {timeout_s} s") from None
            time.sleep(0.005)
        else:
            return
