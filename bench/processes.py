"""Server processes, each with its output in a file; they never outlive whoever started them."""

import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from magnetar.testing.processes import kill_group, signal_kill, start_group

from bench.errors import ServerError

POLL_INTERVAL_S = 0.005
TERMINATE_TIMEOUT_S = 60.0


class ServerProcess:
    """One running server: its group, its output in a file."""

    def __init__(
        self,
        command: Sequence[str],
        log_path: Path,
        environment: Mapping[str, str] | None = None,
        directory: Path | None = None,
    ) -> None:
        self.log_path = log_path
        self._log_start = log_path.stat().st_size if log_path.exists() else 0
        self.started_at_s = time.monotonic()
        self._process = start_group(command, log_path, environment=environment, directory=directory)

    @property
    def pid(self) -> int:
        """Process id of the server, which is also that of its group."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def output(self) -> str:
        """What this process (not an earlier one with the same log) has printed."""
        with self.log_path.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def check_alive(self) -> None:
        """Raises ServerError with the end of the output if the process has ended."""
        if not self.alive:
            raise ServerError(f"exit {self._process.returncode}:\n{self.output()[-3000:]}")

    def wait_for_line(self, text: str, timeout_s: float) -> str:
        """Returns the first line of the output with `text` in it."""
        deadline_s = time.monotonic() + timeout_s
        while True:
            complete, _, _ = self.output().rpartition("\n")
            for line in complete.splitlines():
                if text in line:
                    return line
            self.check_alive()
            if time.monotonic() > deadline_s:
                raise ServerError(f"no {text!r} in {timeout_s} s:\n{self.output()[-3000:]}")
            time.sleep(POLL_INTERVAL_S)

    def terminate(self, timeout_s: float = TERMINATE_TIMEOUT_S) -> int:
        """Asks it to stop (SIGTERM) and returns its exit code, negative for a signal."""
        if self.alive:
            self._process.terminate()
        try:
            code = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ServerError(f"still running {timeout_s} s after SIGTERM") from None
        self.kill()  # what is left of the group
        return code

    def wait(self, timeout_s: float) -> int:
        """Waits until it ends by itself and returns its exit code."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise ServerError(f"still running after {timeout_s} s:\n{self.output()}") from None

    def kill(self) -> None:
        """Ends the whole group with SIGKILL, at once."""
        kill_group(self._process)

    def signal_kill(self) -> None:
        """Tells the whole group to end (SIGKILL), and does not wait: a sync may hold it up."""
        signal_kill(self._process)
