"""Child processes that end with this one, however it ends.

All of them are in one process group, whose leader waits for the end of a pipe that only this
process holds open. When the system closes it, after `kill -9` too, the leader kills the group. That
needs neither a call that only Linux has nor the help of the children.
"""

import asyncio
import subprocess
from asyncio.subprocess import Process
from collections.abc import Collection, Mapping, Sequence
from typing import IO

from magnetar_runtime.service_manager import environment_of_children

_WAIT_AND_KILL = "cat >/dev/null; kill -KILL 0"
"""0 is the group of the shell itself. Nobody writes into the pipe: `cat` ends when it is closed."""


class ChildGroup:
    """The group; nothing of it is left when it is closed."""

    def __init__(self) -> None:
        self._leader = subprocess.Popen(  # noqa: S603 - nothing in it comes from outside
            ["/bin/sh", "-c", _WAIT_AND_KILL],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=0,
        )

    @property
    def number(self) -> int:
        """Its process group id."""
        return self._leader.pid

    async def start(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        directory: str,
        output: IO[bytes],
        *,
        says_when_ready: bool,
    ) -> Process:
        """A member, which writes into `output`.

        Ctrl-C in a terminal does not reach it: the signal goes to the group of this process only.

        Args:
            says_when_ready: its stdout is a pipe to this process.

        Raises:
            OSError: it cannot be started.
        """
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if says_when_ready else output,
            stderr=output,
            cwd=directory,
            env=environment_of_children(environment),
            process_group=self.number,
        )

    def close(self) -> None:
        """Kill what is left of it."""
        assert self._leader.stdin is not None
        self._leader.stdin.close()
        self._leader.wait()


def without_settings(environment: Mapping[str, str], keys: Collection[str]) -> dict[str, str]:
    """Without the configuration that services read from it: each child has its own file."""
    return {
        name: value
        for name, value in environment.items()
        if name not in keys and not name.startswith("PULSAR_PREFIX_")
    }
