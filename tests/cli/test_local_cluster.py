"""The order of start and end, and what becomes of a child that dies. Children are made up."""

import asyncio
import logging
from typing import Any

import pytest
from magnetar_cli import local_cluster
from magnetar_cli.child_process import ChildError
from magnetar_cli.cluster_plan import ChildPlan
from magnetar_cli.exits import CommandFailedError
from magnetar_cli.local_cluster import running_cluster


class FakeChild:
    """Its process runs until `die`."""

    def __init__(self, name: str, events: list[str]) -> None:
        self.plan = ChildPlan(name, name, 1, 2, f"/data/{name}")
        self.pid = 0
        self.fails = 0
        self.bad_end = False
        self._events = events
        self._dead = asyncio.Event()

    async def start(self) -> None:
        await asyncio.sleep(0)
        if self.fails:
            self.fails -= 1
            raise ChildError(f"{self.plan.name} did not start")
        self._dead.clear()
        self.pid += 1
        self._events.append(f"start {self.plan.name}")

    async def ended(self) -> str:
        await self._dead.wait()
        return "ended by SIGKILL"

    def die(self) -> None:
        self._dead.set()

    async def end(self) -> None:
        self._events.append(f"end {self.plan.name}")
        if self.bad_end:
            raise ChildError(f"{self.plan.name} was killed")


class Cluster:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(local_cluster, "_FIRST_PAUSE_S", 0.001)
        self.events: list[str] = []
        self.zookeeper, self.bookie, self.broker = (
            FakeChild(name, self.events) for name in ("zookeeper", "bookie", "broker")
        )
        self.failures: list[BaseException] = []

    async def make_metadata(self) -> None:
        self.events.append("metadata")

    def running(self, *, restart: bool = True) -> Any:
        tiers: Any = [[self.zookeeper], [self.bookie], [self.broker]]
        return running_cluster(tiers, self.make_metadata, self.failures.append, restart=restart)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    return Cluster(monkeypatch)


STARTS = ["start zookeeper", "metadata", "start bookie", "start broker"]
ENDS = ["end broker", "end bookie", "end zookeeper"]


async def test_one_tier_after_the_other(cluster: Cluster) -> None:
    async with cluster.running():
        assert cluster.events == STARTS
    assert cluster.events == STARTS + ENDS


async def test_who_dies_is_told_of_and_started_again(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    async with cluster.running():
        cluster.bookie.fails = 2
        cluster.bookie.die()
        async with asyncio.timeout(10):
            while cluster.bookie.pid < 2:
                await asyncio.sleep(0.001)
        await asyncio.sleep(0)
    texts = [record.message for record in caplog.records]
    assert texts[0] == "bookie ended by SIGKILL, and is started again; /data/bookie.log"
    assert [text.partition(";")[0] for text in texts[1:]] == [
        "bookie did not start",
        "bookie did not start",
        "bookie is ready again, pid 2",
    ]
    assert cluster.failures == []


async def test_without_restart_it_stays_down(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    async with cluster.running(restart=False):
        cluster.broker.die()
        for _ in range(10):
            await asyncio.sleep(0)
    assert "broker ended by SIGKILL, and stays down" in caplog.text
    assert cluster.broker.pid == 1


async def test_a_start_that_fails_ends_what_runs(cluster: Cluster) -> None:
    cluster.bookie.fails = 1
    with pytest.raises(CommandFailedError, match="the cluster did not start: bookie did not"):
        async with cluster.running():
            raise AssertionError("not reached")
    assert cluster.events == ["start zookeeper", "metadata", *ENDS]


async def test_an_end_that_is_not_clean_is_told_of_and_the_others_end(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    cluster.broker.bad_end = True
    with pytest.raises(CommandFailedError, match="broker was killed"):
        async with cluster.running():
            pass
    assert cluster.events == STARTS + ENDS
