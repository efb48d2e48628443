"""What a bookie answers over HTTP, on BookKeeper's paths and in its words."""

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from magnetar_runtime.clock import Clock
from magnetar_runtime.counters import Counters
from magnetar_runtime.disk import DiskSpace
from magnetar_runtime.http import Answer, HttpServer
from magnetar_runtime.settings_bookie import BookieServiceSettings
from magnetar_storage.engine import BookieEngine

from magnetar_cli.bookie_collect import ForcedCollection
from magnetar_cli.bookie_mode import BookieMode
from magnetar_cli.heartbeat import heartbeat_server

_BOOKIE = "/api/v1/bookie"
_FORCE = ("forceMinor", "forceMajor")


class BookieWeb:
    """The answers, by what was asked."""

    def __init__(
        self,
        bookie: BookieEngine,
        mode: BookieMode,
        collection: ForcedCollection,
        disk_space: Callable[[], DiskSpace | None],
    ) -> None:
        """Args: `disk_space` is that of all ledger directories together."""
        self._bookie = bookie
        self._mode = mode
        self._collection = collection
        self._disk_space = disk_space

    def server(
        self, settings: BookieServiceSettings, counters: Counters, clock: Clock
    ) -> HttpServer:
        """A server with all of them, not started."""
        server = heartbeat_server(settings, counters, clock)
        server.add_json(f"{_BOOKIE}/state", self._state)
        for method, path, answer_to in (
            ("GET", "is_ready", self._is_ready),
            ("GET", "info", self._info),
            ("GET", "state/readonly", self._read_only),
            ("PUT", "state/readonly", self._set_read_only),
            ("GET", "gc", self._collecting),
            ("PUT", "gc", self._collect),
        ):
            server.add_answer(method, f"{_BOOKIE}/{path}", answer_to)
        return server

    def _state(self) -> dict[str, Any]:
        return {
            "running": self._bookie.failure is None,
            "readOnly": self._mode.read_only,
            "shuttingDown": False,
            "availableForHighPriorityWrites": self._bookie.takes_recovery,
        }

    async def _is_ready(self, _body: bytes) -> Answer:
        if self._bookie.failure is None:
            return Answer("OK")
        return Answer("Bookie is not fully started yet", HTTPStatus.SERVICE_UNAVAILABLE)

    async def _info(self, _body: bytes) -> Answer:
        space = self._disk_space()
        if space is None:
            return Answer("its disks cannot be looked at", HTTPStatus.INTERNAL_SERVER_ERROR)
        return Answer({"freeSpace": space.free_bytes, "totalSpace": space.total_bytes})

    async def _read_only(self, _body: bytes) -> Answer:
        return Answer({"readOnly": self._mode.read_only})

    async def _set_read_only(self, body: bytes) -> Answer:
        wanted = _object(body)
        if wanted is None or not isinstance(wanted.get("readOnly"), bool):
            return Answer('the body must be {"readOnly": true} or false', HTTPStatus.BAD_REQUEST)
        read_only: bool = wanted["readOnly"]
        refusal = self._mode.refusal(read_only=read_only)
        if refusal is not None and read_only != self._mode.read_only:
            return Answer(refusal, HTTPStatus.BAD_REQUEST)
        if refusal is None:
            await self._mode.set_read_only(read_only)
        return await self._read_only(body)

    async def _collecting(self, _body: bytes) -> Answer:
        return Answer({"is_in_force_gc": str(self._collection.running).lower()})

    async def _collect(self, body: bytes) -> Answer:
        wanted = _object(body) if body else {}
        if wanted is None or not all(isinstance(wanted.get(key, True), bool) for key in _FORCE):
            message = 'the body may be {"forceMajor": true, "forceMinor": true}, each true or false'
            return Answer(message, HTTPStatus.BAD_REQUEST)
        minor, major = (wanted.get(key, True) for key in _FORCE)
        self._collection.start(minor=minor, major=major)
        # A JSON string, as BookKeeper's.
        return Answer(json.dumps(f"Triggered GC on BookieServer: {self._bookie.bookie_id}"))


def _object(body: bytes) -> dict[str, Any] | None:
    """A JSON object; None if it is none."""
    try:
        found = json.loads(body)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
