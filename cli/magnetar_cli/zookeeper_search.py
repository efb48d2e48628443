"""Where a ZooKeeper server may be on this machine, and how it is started."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

HOME_VARIABLE: Final = "ZOOKEEPER_HOME"
_DEBIAN_JAR: Final = "/usr/share/java/zookeeper.jar"
"""Of Debian's libzookeeper-java; its manifest names the jars that it needs."""
_HOMEBREW_HOMES: Final = (
    "/opt/homebrew/opt/zookeeper/libexec",
    "/usr/local/opt/zookeeper/libexec",
)
_SCRIPTS: Final = ("zkServer.sh", "zkServer")
_MAIN: Final = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
INSTALL: Final = (
    "install one (Debian and Ubuntu: apt install zookeeper; macOS: brew install zookeeper), or "
    f"unpack a release of Apache ZooKeeper and set {HOME_VARIABLE} to it, or name one that runs "
    "with --metadata-store zk:HOST:PORT; `magnetar standalone` needs none"
)


class NoZooKeeperError(Exception):
    """There is none that could be started; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What the search looks at.

    Attributes:
        environment: Of this process.
        jars: The names of the jars in a directory; empty if there is no such directory.
        is_file: Whether there is a file of this path.
        program: The real path of a program in PATH, symbolic links followed; None without it.
    """

    environment: Mapping[str, str]
    jars: Callable[[str], Sequence[str]]
    is_file: Callable[[str], bool]
    program: Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class ZooKeeperProgram:
    """A ZooKeeper server and the Java that runs it."""

    java: str
    class_path: str
    found_in: str

    def command(self, conf_directory: str, conf_file: str, heap_mb: int) -> list[str]:
        """How it is started in the foreground; `conf_directory` has the configuration of logs."""
        return [
            self.java,
            f"-Xmx{heap_mb}m",
            "-XX:+UseSerialGC",
            "-cp",
            f"{conf_directory}:{self.class_path}",
            _MAIN,
            conf_file,
        ]


def find_zookeeper(machine: Machine) -> ZooKeeperProgram:
    """The first of: ZOOKEEPER_HOME, that of `zkServer.sh` in PATH, Debian's package, Homebrew's.

    Raises:
        NoZooKeeperError: there is none, or no Java.
    """
    found_in, class_path = _class_path(machine)
    return ZooKeeperProgram(_java(machine, found_in), class_path, found_in)


def _class_path(machine: Machine) -> tuple[str, str]:
    home = machine.environment.get(HOME_VARIABLE, "")
    if home:
        if found := _jars_of_home(machine, home):
            return home, found
        raise NoZooKeeperError(
            f"{HOME_VARIABLE} is {home}, but there is no zookeeper-*.jar in it or in its lib"
        )
    for home in (*_homes_in_path(machine), *_HOMEBREW_HOMES):
        if found := _jars_of_home(machine, home):
            return home, found
    if machine.is_file(_DEBIAN_JAR):
        return _DEBIAN_JAR, _DEBIAN_JAR
    raise NoZooKeeperError(f"no ZooKeeper found on this machine: {INSTALL}")


def _homes_in_path(machine: Machine) -> list[str]:
    """HOME of each HOME/bin/zkServer.sh."""
    scripts = filter(None, map(machine.program, _SCRIPTS))
    return [str(PurePosixPath(script).parent.parent) for script in scripts]


def _jars_of_home(machine: Machine, home: str) -> str:
    """Releases from 3.5 on have all jars in lib; older ones have their own one above it."""
    directories = (f"{home}/lib", home)
    if not any(
        name.startswith("zookeeper-") for each in directories for name in machine.jars(each)
    ):
        return ""
    return ":".join(f"{each}/*" for each in directories)


def _java(machine: Machine, found_in: str) -> str:
    home = machine.environment.get("JAVA_HOME", "")
    if home and machine.is_file(f"{home}/bin/java"):
        return f"{home}/bin/java"
    if found := machine.program("java"):
        return found
    raise NoZooKeeperError(
        f"the ZooKeeper in {found_in} needs Java, and there is none in JAVA_HOME or PATH: install "
        "one (Debian and Ubuntu: apt install default-jre-headless; macOS: brew install openjdk)"
    )
