"""Command scripts with the replies that Apache Pulsar gave to them, as text that people read.

A file holds scripts; each begins with `# ` and what it shows. Lines at the margin are steps, what
is indented below one are the frames that came until all was quiet again:

    # a name that is taken
    a PRODUCER topic: "$T" producer_id: 1 request_id: 1 producer_name: "p"
      a PRODUCER_SUCCESS request_id: 1 producer_name: "p" ...
    b PRODUCER topic: "$T" producer_id: 1 request_id: 2 producer_name: "p"
      b ERROR request_id: 2 error: ProducerBusy

`a` and `b` are connections, opened and greeted when they first speak. A command is its type and
its fields in protobuf's text format; what stands behind ` | ` is a payload: one string is a
message, several are a batch. Other steps: `http METHOD PATH [BODY]`, `wait MILLISECONDS`,
`a drop`, and `a mute` (pings are not answered any more).

`differs: REASON` below a step says that Magnetar means to answer otherwise; what it answers follows
in lines that begin with `ours `. `docs/compatibility.md` holds the reason in the same words.
`with KEY=VALUE` lines at the top of a file are settings of both brokers.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

DIRECTORY = Path(__file__).parent / "scripts"
_INDENT = "  "
_DIFFERS = "differs: "
_OURS = "ours "


@dataclass(slots=True)
class Step:
    """One thing that is done, and what came of it.

    Attributes:
        action: the line at the margin.
        replies: of Apache Pulsar.
        reason: why Magnetar's replies differ; None if they do not.
        our_replies: Magnetar's, where they differ.
    """

    action: str
    replies: list[str] = field(default_factory=list)
    reason: str | None = None
    our_replies: list[str] = field(default_factory=list)

    def expected(self, *, ours: bool) -> list[str]:
        """The replies that one of the two gives."""
        return self.our_replies if ours and self.reason is not None else self.replies

    def lines(self) -> Iterator[str]:
        """As it stands in the file."""
        yield self.action
        yield from (_INDENT + reply for reply in self.replies)
        if self.reason is not None:
            yield _INDENT + _DIFFERS + self.reason
            yield from (_INDENT + _OURS + reply for reply in self.our_replies)


@dataclass(slots=True)
class Script:
    """Steps that are played on one broker, one after the other.

    Attributes:
        title: what it shows.
        name: unique among all scripts and fit for a topic's name.
        steps: in order.
    """

    title: str
    name: str
    steps: list[Step] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """As it stands in the file."""
        yield f"# {self.title}"
        for step in self.steps:
            yield from step.lines()


@dataclass(slots=True)
class ScriptFile:
    """The scripts of one file, which are played with the same settings."""

    path: Path
    settings: dict[str, str]
    scripts: list[Script]

    def text(self) -> str:
        """What the file holds."""
        head = "".join(f"with {key}={value}\n" for key, value in self.settings.items())
        bodies = ["\n".join(script.lines()) + "\n" for script in self.scripts]
        return "\n".join([*([head] if head else []), *bodies])


def read_file(path: Path) -> ScriptFile:
    """Reads a file of scripts; a malformed one raises ValueError naming the line."""
    settings: dict[str, str] = {}
    scripts: list[Script] = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        try:
            _take_line(path.stem, line, settings, scripts)
        except (IndexError, ValueError) as error:
            raise ValueError(f"{path.name}:{number}: {line!r}: {error}") from error
    return ScriptFile(path, settings, scripts)


def _take_line(stem: str, line: str, settings: dict[str, str], scripts: list[Script]) -> None:
    if not line.strip():
        return
    if line.startswith("# "):
        scripts.append(Script(line[2:], f"{stem}-{len(scripts) + 1}"))
    elif line.startswith("with ") and not scripts:
        key, _, value = line[5:].partition("=")
        settings[key] = value
    elif not line.startswith(_INDENT):
        scripts[-1].steps.append(Step(line))
    else:
        _take_reply(scripts[-1].steps[-1], line.strip())


def _take_reply(step: Step, line: str) -> None:
    if line.startswith(_DIFFERS):
        step.reason = line.removeprefix(_DIFFERS)
    elif line.startswith(_OURS):
        step.our_replies.append(line.removeprefix(_OURS))
    else:
        step.replies.append(line)


def all_files() -> list[ScriptFile]:
    """Every file of scripts, by name."""
    return [read_file(path) for path in sorted(DIRECTORY.glob("*.txt"))]
