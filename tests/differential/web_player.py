"""Plays a script of WebSocket and HTTP exchanges on a broker and says what came back.

A script is lines; what stands behind `<` was answered by Apache Pulsar:

    open NAME PATH             a WebSocket; answered `101`, or the status of the refusal
    send NAME TEXT             a text frame
    close NAME                 from the client's side
    http METHOD PATH [BODY]    answered by status and body
    < NAME TEXT                a frame that came on that socket, or `closed`
    > NAME TEXT                behind the answers of Pulsar: what Magnetar answers instead

Ids of messages are numbered as they stand there (`ID1`), times are `TIME`; what is sent may name
the ids.
Between sockets there is no order: the answers to a step are sorted by where they came from.
"""

import asyncio
import json
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp

from bench.servers import HOST, Server

SCRIPT: Final = Path(__file__).parent / "websocket.txt"
REPLY_TIMEOUT_S: Final = 6.0
QUIET_S: Final = 0.7
"""While recording: nothing more comes of a step when nothing came for so long."""
SILENT_S: Final = 0.05
"""After a step without answers: the broker has done it before the next one."""

_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,3})?(?:Z|[+-]\d\d:\d\d)")
_PREFIX: Final = "ws-"
"""What the names of topics begin with; each time they are played they are others."""
_PLACE: Final = re.compile(r"\b\d+:\d+:-?\d+\b")


@dataclass
class Step:
    """One exchange: a line and its answers. Comments are steps without a command."""

    line: str
    replies: list[str] = field(default_factory=list)
    ours: list[str] = field(default_factory=list)


def read_script(text: str) -> list[Step]:
    """Steps of a script."""
    steps: list[Step] = []
    for line in text.splitlines():
        if line.startswith("< "):
            steps[-1].replies.append(line[2:])
        elif line.startswith("> "):
            steps[-1].ours.append(line[2:])
        else:
            steps.append(Step(line))
    return steps


def write_script(steps: Sequence[Step]) -> str:
    """The reverse of `read_script`."""
    lines: list[str] = []
    for step in steps:
        lines.append(step.line)
        lines += [f"< {each}" for each in step.replies]
        lines += [f"> {each}" for each in step.ours]
    return "\n".join(lines) + "\n"


def is_exchange(step: Step) -> bool:
    """Whether a step asks for anything."""
    return bool(step.line) and not step.line.startswith("#")


def expected(step: Step, *, ours: bool) -> list[str]:
    """What a broker answers to a step."""
    return step.ours if ours and step.ours else step.replies


@dataclass(frozen=True)
class Answer:
    """What came of a step: of a socket (`NAME`, `NAME closed`) or of a request (a status)."""

    of: str
    text: str = ""
    body: bool = False

    def told(self, names: "Names") -> str:
        """A line of the script."""
        text = names.told(self.text, in_order=not self.body)
        if self.body:
            text = _PLACE.sub("PLACE", text)
        return f"{self.of} {text}".strip()


class Names:
    """What differs from run to run, by names that do not."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._prefix = f"ws{time.time_ns()}-"

    def told(self, text: str, *, in_order: bool = True) -> str:
        """A reply with names in the place of ids and times."""
        text = text.replace(self._prefix, _PREFIX)
        try:
            value = json.loads(text)
        except ValueError:
            return text
        return json.dumps(self._named(value), separators=(",", ":"), sort_keys=not in_order)

    def _named(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._named(each) for each in value]
        if not isinstance(value, dict):
            return value
        return {key: self._field(key, each) for key, each in value.items()}

    def _field(self, key: str, value: Any) -> Any:
        if key == "messageId" and isinstance(value, str):
            return self._names.setdefault(value, f"ID{len(self._names) + 1}")
        if key in ("errorMsg", "ledgerId"):
            return key.upper()  # the words of Java, or of a message's place
        if isinstance(value, str):
            return _TIME.sub("TIME", value)
        return self._named(value)

    def meant(self, text: str) -> str:
        """What is sent, with ids in the place of their names."""
        for actual, name in self._names.items():
            text = re.sub(rf"\b{name}\b", lambda _, actual=actual: actual, text)
        return text.replace(_PREFIX, self._prefix)


class WebPlayer:
    """One script on one broker."""

    def __init__(self, server: Server, *, recording: bool, ours: bool = False) -> None:
        self._ours = ours
        self._url = f"http://{HOST}:{server.web_port}"
        self._recording = recording
        self._names = Names()
        self._sockets: dict[str, aiohttp.ClientWebSocketResponse] = {}
        self._opened: list[aiohttp.ClientWebSocketResponse] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._came: list[Answer] = []
        self._news = asyncio.Event()

    async def play(self, steps: Sequence[Step]) -> list[list[str]]:
        """What was answered to each step."""
        found = []
        async with aiohttp.ClientSession() as session:
            for step in steps:
                if is_exchange(step):
                    if self._recording:
                        print(step.line, flush=True)
                    await self._do(session, step.line)
                    await self._replies(len(expected(step, ours=self._ours)))
                found.append(self._told())
            for socket in self._opened:
                await socket.close()
            await asyncio.gather(*self._tasks)
        return found

    def _told(self) -> list[str]:
        """What came since the last step, the names given in the order of the script.

        A consumer may have a message before the HTTP request that sent it is answered.
        """
        came, self._came = sorted(self._came, key=lambda answer: answer.of.partition(" ")[0]), []
        return [answer.told(self._names) for answer in came]

    async def _do(self, session: aiohttp.ClientSession, line: str) -> None:
        verb, _, rest = line.partition(" ")
        name, _, more = rest.partition(" ")
        if verb == "open":
            await self._open(session, name, self._names.meant(more))
        elif verb == "send":
            await self._send(name, self._names.meant(more))
        elif verb == "close":
            await self._sockets.pop(name).close()
        else:
            assert verb == "http", line
            path, _, body = more.partition(" ")
            await self._ask(session, name, self._names.meant(path), self._names.meant(body))

    async def _open(self, session: aiohttp.ClientSession, name: str, path: str) -> None:
        try:
            socket = await session.ws_connect(f"{self._url}{path}", max_msg_size=0)
        except aiohttp.WSServerHandshakeError as error:
            self._came.append(Answer(str(error.status)))
            return
        self._came.append(Answer("101"))
        self._sockets[name] = socket
        self._opened.append(socket)
        self._tasks.append(asyncio.create_task(self._receive(name, socket)))

    async def _send(self, name: str, text: str) -> None:
        try:
            await self._sockets[name].send_str(text)
        except ConnectionError:
            self._came.append(Answer(f"{name} is gone"))

    async def _receive(self, name: str, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            self._came.append(Answer(name, message.data))
            self._news.set()
        if self._sockets.get(name) is socket:
            self._came.append(Answer(f"{name} closed"))
            self._news.set()

    async def _ask(self, session: aiohttp.ClientSession, method: str, path: str, body: str) -> None:
        headers = {"Content-Type": "application/json"}
        async with session.request(
            method, f"{self._url}{path}", data=body or None, headers=headers
        ) as answer:
            text = await answer.text() if answer.status < 400 else ""
        self._came.append(Answer(str(answer.status), text, body=True))

    async def _replies(self, count: int) -> None:
        if self._recording:
            before = -1
            while len(self._came) > before:
                before = len(self._came)
                await asyncio.sleep(QUIET_S)
            return
        try:
            async with asyncio.timeout(REPLY_TIMEOUT_S):
                while len(self._came) < count:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return
        if not count:
            await asyncio.sleep(SILENT_S)
