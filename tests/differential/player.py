"""Plays scripts on a broker over real sockets and says what came back.

A PING is answered and not told: a broker sends it when it likes. A connection that is `mute` does
not answer. The end of a topic counts once a step: Apache Pulsar tells it once or twice, as it
happens.
"""

import asyncio
import itertools
from collections.abc import Sequence
from typing import Final

import aiohttp
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.frames import Frame, FrameSplitter

from bench.servers import HOST, Server
from tests.differential.script import Script, Step
from tests.differential.wording import Wording

MAX_FRAME_BYTES: Final = 6 << 20
REPLY_TIMEOUT_S: Final = 6.0
QUIET_S: Final = 0.35
"""While recording: nothing more comes of a step when nothing came for so long."""
SILENT_STEP_S: Final = 0.06
"""What a step without replies gets, so that the broker has done it before the next one."""
AT_ONCE: Final = 12
LOOKUPS_BEFORE: Final = 64
_GREETING: Final = 'client_version: "script" protocol_version: 21'
_CLOSED: Final = "CLOSED"


class Peer:
    """One connection of a script."""

    def __init__(self, name: str, wording: Wording) -> None:
        self.name = name
        self.came: list[str] = []
        self.mute = False
        self._wording = wording
        self._news = asyncio.Event()
        self._splitter = FrameSplitter(MAX_FRAME_BYTES)
        self._writer: asyncio.StreamWriter | None = None
        self._task: asyncio.Task[None] | None = None

    async def open(self, port: int) -> None:
        """Connects; nothing is said yet."""
        reader, self._writer = await asyncio.open_connection(HOST, port)
        self._task = asyncio.create_task(self._receive(reader))

    async def _receive(self, reader: asyncio.StreamReader) -> None:
        try:
            while data := await reader.read(1 << 16):
                for frame in self._splitter.feed(data):
                    self._take(frame)
                self._news.set()
        except ConnectionError:
            pass  # said as CLOSED, like an orderly end
        self.came.append(_CLOSED)
        self._news.set()

    def _take(self, frame: Frame) -> None:
        if frame[0] == api.BaseCommand.REACHED_END_OF_TOPIC:
            words = self._wording.reply(frame)
            if words not in self.came:
                self.came.append(words)
        elif frame[0] != api.BaseCommand.PING:
            self.came.append(self._wording.reply(frame))
        elif not self.mute:
            self.send("PONG", "")

    def send(self, verb: str, fields: str) -> None:
        """Sends a command."""
        assert self._writer is not None
        self._writer.write(self._wording.frame(verb, fields))

    async def close(self) -> None:
        """Ends the connection and forgets what came of that."""
        assert self._writer is not None
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait([self._task])
        self._writer.close()
        self.came.clear()

    async def until(self, count: int) -> None:
        """Waits until so many frames came; fewer if they do not come in time."""
        try:
            async with asyncio.timeout(REPLY_TIMEOUT_S):
                while len(self.came) < count:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return

    async def until_quiet(self) -> bool:
        """Waits until nothing came for a while; whether anything did."""
        before = len(self.came)
        await asyncio.sleep(QUIET_S)
        return len(self.came) > before


class Player:
    """One script on one broker."""

    def __init__(self, server: Server, script: Script, *, ours: bool, recording: bool) -> None:
        self._server = server
        self._script = script
        self._ours = ours
        self._recording = recording
        namespace = f"public/{script.name}"
        self._wording = Wording(f"persistent://public/default/{script.name}", namespace)
        self._peers: dict[str, Peer] = {}
        self._http: list[str] = []

    async def play(self, *, whole: bool) -> list[list[str]]:
        """The replies to each step, by connection and then in the order of their coming.

        Args:
            whole: go on behind a difference to the script, where replies tell nothing more.
        """
        came: list[list[str]] = []
        try:
            for step in self._script.steps:
                came.append(await self._step(step))
                if not whole and came[-1] != step.expected(ours=self._ours):
                    break
            return came
        finally:
            for peer in self._peers.values():
                await peer.close()

    async def _step(self, step: Step) -> list[str]:
        await self._act(step.action)
        last = step is self._script.steps[-1]
        if self._recording:
            await self._await_answer(step.action)
        if self._recording or last:
            while any(await asyncio.gather(*(peer.until_quiet() for peer in self._all()))):
                pass
        if not self._recording:
            await self._await_replies(step.expected(ours=self._ours))
        replies = self._http + [
            f"{peer.name} {words}" for peer in self._all() for words in peer.came
        ]
        self._http = []
        for peer in self._all():
            peer.came.clear()
        return replies

    async def _await_answer(self, action: str) -> None:
        """What asks has an answer, which a cold broker takes its time for."""
        who, verb, *_ = action.split(" ", 2)
        if verb == "SEND" or "request_id" in action:
            await self._peers[who].until(1)

    async def _await_replies(self, expected: Sequence[str]) -> None:
        if not expected:
            await asyncio.sleep(SILENT_STEP_S)
        for peer in self._all():
            await peer.until(sum(line.startswith(f"{peer.name} ") for line in expected))

    def _all(self) -> list[Peer]:
        return [self._peers[name] for name in sorted(self._peers)]

    async def _act(self, action: str) -> None:
        who, verb, *rest = action.split(" ", 2)
        text = rest[0] if rest else ""
        if who == "wait":
            await asyncio.sleep(int(verb) / 1000)
        elif who == "http":
            await self._call(verb, text)
        elif verb == "drop":
            await self._peers.pop(who).close()
        elif verb == "mute":
            (await self._peer(who, greet=True)).mute = True
        else:
            (await self._peer(who, greet=verb != "CONNECT")).send(verb, text)

    async def _peer(self, name: str, *, greet: bool) -> Peer:
        peer = self._peers.get(name)
        if peer is None:
            peer = self._peers[name] = Peer(name, self._wording)
            await peer.open(self._server.port)
            if greet:
                peer.send("CONNECT", _GREETING)
                await peer.until(1)
                peer.came.clear()
        return peer

    async def _call(self, method: str, text: str) -> None:
        path, _, body = self._wording.expand(text).partition(" ")
        url = f"http://{HOST}:{self._server.web_port}{path.replace('://', '/')}"
        headers = {"Content-Type": "application/json"}
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, url, data=body or None, headers=headers) as response,
        ):
            await response.read()
            self._http.append(f"http {response.status}")


async def _warm(server: Server) -> None:
    """Has the broker own every bundle of the default namespace, as clients do before they come.

    Publishing a little on topics of its own lets a cold Java process load what scripts then time.
    """
    script = Script("warming", "warming")
    for number in range(LOOKUPS_BEFORE):
        script.steps.append(Step(f'a LOOKUP topic: "$T-{number}" request_id: {number}'))
    for number in range(LOOKUPS_BEFORE // 4):
        names = f'topic: "$T-{number}" request_id: {number}'
        script.steps += [
            Step(f"a PRODUCER producer_id: {number} {names}", ["a"]),
            Step(f'a SEND producer_id: {number} sequence_id: 0 | "warm"', ["a"]),
            Step(f'a SUBSCRIBE consumer_id: {number} subscription: "s" subType: Shared {names}'),
        ]
    for step in script.steps:
        step.replies = ["a "]
    await Player(server, script, ours=False, recording=False).play(whole=True)


async def play_all(
    server: Server, scripts: Sequence[Script], *, ours: bool, recording: bool = False
) -> list[list[list[str]]]:
    """The replies to each step of each script; a dozen scripts at once."""
    places = asyncio.Semaphore(AT_ONCE)
    await _warm(server)

    async def one(script: Script) -> list[list[str]]:
        async with places:
            player = Player(server, script, ours=ours, recording=recording)
            return await player.play(whole=recording)

    return list(await asyncio.gather(*(one(script) for script in scripts)))


def differences(script: Script, came: Sequence[Sequence[str]], *, ours: bool) -> list[str]:
    """Where the replies are not those that the script has, as lines for people."""
    lines = []
    for number, (step, replies) in enumerate(zip(script.steps, came, strict=False), 1):
        expected = step.expected(ours=ours)
        if list(replies) != expected:
            lines.append(f"{script.name} ({script.title}), step {number}: {step.action}")
            pairs = itertools.zip_longest(expected, replies, fillvalue="(nothing)")
            lines += [
                f"    expected {want}\n    came     {got}" for want, got in pairs if want != got
            ]
    return lines
