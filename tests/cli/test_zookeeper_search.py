"""Where a ZooKeeper is looked for, on machines made up for it."""

from collections.abc import Mapping

import pytest
from magnetar_cli.zookeeper_search import Machine, NoZooKeeperError, find_zookeeper

DEBIAN = "/usr/share/java/zookeeper.jar"
BREW = "/opt/homebrew/opt/zookeeper/libexec"


def machine(
    *,
    environment: Mapping[str, str] | None = None,
    homes: tuple[str, ...] = (),
    files: tuple[str, ...] = (),
    programs: Mapping[str, str] | None = None,
) -> Machine:
    """Java in PATH; `homes` are unpacked releases."""
    found = {"java": "/usr/bin/java", **(programs or {})}
    jars = {f"{home}/lib": ["slf4j-api.jar", "zookeeper-3.9.3.jar"] for home in homes}
    return Machine(
        environment or {}, lambda path: jars.get(path, []), files.__contains__, found.get
    )


@pytest.mark.parametrize(
    ("here", "found_in"),
    [
        pytest.param(
            machine(environment={"ZOOKEEPER_HOME": "/opt/zk"}, homes=("/opt/zk", BREW)),
            "/opt/zk",
            id="variable",
        ),
        pytest.param(
            machine(
                programs={"zkServer.sh": "/srv/zk/bin/zkServer.sh"},
                homes=("/srv/zk",),
                files=(DEBIAN,),
            ),
            "/srv/zk",
            id="script in PATH",
        ),
        pytest.param(
            machine(programs={"zkServer": "/usr/local/bin/zkServer"}, homes=(BREW,)),
            BREW,
            id="homebrew, whose script lies elsewhere",
        ),
        pytest.param(
            machine(
                programs={"zkServer.sh": "/usr/share/zookeeper/bin/zkServer.sh"}, files=(DEBIAN,)
            ),
            DEBIAN,
            id="debian",
        ),
    ],
)
def test_the_first_that_is_there(here: Machine, found_in: str) -> None:
    assert find_zookeeper(here).found_in == found_in


def test_the_command() -> None:
    here = machine(environment={"ZOOKEEPER_HOME": "/opt/zk"}, homes=("/opt/zk",))
    command = find_zookeeper(here).command("/data/zookeeper", "/data/zookeeper/zoo.cfg", 256)
    assert command[:2] == ["/usr/bin/java", "-Xmx256m"]
    assert command[command.index("-cp") + 1] == "/data/zookeeper:/opt/zk/lib/*:/opt/zk/*"
    assert command[-2:] == [
        "org.apache.zookeeper.server.quorum.QuorumPeerMain",
        "/data/zookeeper/zoo.cfg",
    ]


def test_an_old_release_has_its_jar_at_the_top() -> None:
    jars = {"/opt/zk": ["zookeeper-3.4.14.jar"]}
    here = Machine(
        {"ZOOKEEPER_HOME": "/opt/zk"},
        lambda path: jars.get(path, []),
        lambda _: False,
        {"java": "/java"}.get,
    )
    assert find_zookeeper(here).class_path == "/opt/zk/lib/*:/opt/zk/*"


def test_java_home_goes_first() -> None:
    here = machine(environment={"JAVA_HOME": "/jdk"}, files=(DEBIAN, "/jdk/bin/java"))
    assert find_zookeeper(here).java == "/jdk/bin/java"
    here = machine(environment={"JAVA_HOME": "/gone"}, files=(DEBIAN,))
    assert find_zookeeper(here).java == "/usr/bin/java"


@pytest.mark.parametrize(
    ("here", "words"),
    [
        pytest.param(machine(), "apt install zookeeper", id="nothing"),
        pytest.param(
            machine(environment={"ZOOKEEPER_HOME": "/x"}, files=(DEBIAN,)),
            "ZOOKEEPER_HOME is /x",
            id="a variable that is wrong is not passed over",
        ),
        pytest.param(
            Machine({}, lambda _: [], (DEBIAN,).__contains__, lambda _: None),
            "needs Java",
            id="no java",
        ),
    ],
)
def test_what_to_do_is_said(here: Machine, words: str) -> None:
    with pytest.raises(NoZooKeeperError, match=words):
        find_zookeeper(here)
