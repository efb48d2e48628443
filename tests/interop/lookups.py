"""Lookups of many topics at one time, over one connection to each broker, as clients make them."""

import asyncio
from collections.abc import Sequence
from typing import Final

from magnetar_proto import pulsar_api_pb2 as api
from magnetar_runtime.network import SystemNetwork

from bench.servers import HOST
from tests.interop.magnetar_broker import MagnetarBroker
from tests.sim.wire_client import WireClient

_PAUSE_S: Final = 0.02


async def all_served(running: Sequence[MagnetarBroker], topics: Sequence[str]) -> None:
    """Wait until each topic is served by one of the brokers."""
    clients = {each.service_url: await _connected(each) for each in running}
    try:
        await asyncio.gather(*(_served(clients, topic) for topic in topics))
    finally:
        for client in clients.values():
            client.close()


async def _connected(broker: MagnetarBroker) -> WireClient:
    return await WireClient.open(SystemNetwork(), HOST, broker.port)


async def _served(clients: dict[str, WireClient], topic: str) -> None:
    asked, authoritative = next(iter(clients)), False
    while True:
        answer = await clients[asked].ask(
            api.CommandLookupTopic, topic=topic, authoritative=authoritative
        )
        runs = answer.brokerServiceUrl in clients
        if runs and answer.response == api.CommandLookupTopicResponse.Connect:
            return
        if runs and answer.response == api.CommandLookupTopicResponse.Redirect:
            asked, authoritative = answer.brokerServiceUrl, answer.authoritative
            continue
        asked, authoritative = next(iter(clients)), False
        await asyncio.sleep(_PAUSE_S)
