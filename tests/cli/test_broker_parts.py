"""A broker serves what its settings say."""

from contextlib import AsyncExitStack
from typing import Any

from magnetar_cli.broker_parts import listen, start_web
from magnetar_runtime.settings import ServiceSettings


async def test_an_empty_port_is_not_served() -> None:
    settings = ServiceSettings(broker_service_port=None, web_service_port=None)
    nothing: Any = None
    async with AsyncExitStack() as stack:
        assert await listen(stack, settings, nothing) == []
        assert await start_web(stack, settings, nothing, nothing, nothing) == []
