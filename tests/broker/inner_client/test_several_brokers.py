"""A web client of one broker and topics of another: found by the leader, moved, produced to."""

import asyncio
from typing import Any

from magnetar_broker.inner_client.inner_client import InnerClient
from magnetar_broker.inner_client.outgoing import Outgoing
from magnetar_broker.inner_client.pipe import join_by_pipe
from magnetar_broker.inner_client.topic_producer import ProducerOptions, TopicProducer
from magnetar_runtime.scope import TaskScope

from tests.broker.http.web_world import until
from tests.broker.inner_client.inner_world import NAME, Sink
from tests.broker.ownership.conftest import Cluster, Member, cluster, one, two

__all__ = ["cluster", "one", "two"]


class Pipes:
    """A network in which brokers are reached by their names."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.connected: list[str] = []

    async def connect(self, factory: Any, host: str, port: int, ssl: Any = None) -> Any:
        (member,) = [
            each for each in self._cluster.members if each.service.config.advertised_host == host
        ]
        self.connected.append(host)
        protocol = factory()
        join_by_pipe(
            asyncio.get_running_loop(),
            member.service.new_connection(),
            protocol,
            peername=("9.9.9.9", 1),
        )
        return None, protocol

    async def listen(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError


async def test_a_topic_of_another_broker_is_produced_to_there_and_followed(
    cluster: Cluster, one: Member, two: Member
) -> None:
    await two.ownership.look_up(NAME, authoritative=True, listener="")
    network, sink = Pipes(cluster), Sink()
    async with TaskScope() as scope:
        client = InnerClient(one.service, "1.2.3.4:5", network)  # type: ignore[arg-type]
        producer = TopicProducer(client, NAME, ProducerOptions(name="me"), scope)
        await producer.open()
        assert network.connected == ["two"]
        assert "me" in two.service.topics.loaded[str(NAME)].producers
        producer.send(Outgoing(b"1"), 1, sink)
        await until(lambda: two.ledger("t").pending == 1)
        two.ledger("t").confirm()
        await until(lambda: 1 in sink.stored_ids)
        # Its broker hands the topic over: the first gets it, and the producer comes home.
        await two.cluster.leave()
        producer.send(Outgoing(b"2"), 2, sink)
        await until(lambda: "public/default/persistent/t" in one.ledgers)
        await until(lambda: one.ledger("t").pending == 1)
        one.ledger("t").confirm()
        await until(lambda: 2 in sink.stored_ids)
        client.close()
