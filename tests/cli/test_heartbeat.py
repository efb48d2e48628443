"""What services of a bookkeeper.conf answer before they add anything."""

import aiohttp
from magnetar_cli.heartbeat import heartbeat_server
from magnetar_runtime.clock import SystemClock
from magnetar_runtime.counters import Counters
from magnetar_runtime.settings_bookie import BookieServiceSettings


async def test_the_heartbeat_and_the_origins_that_may_ask() -> None:
    settings = BookieServiceSettings(
        http_server_port=0, http_allowed_origins="http://console.example"
    )
    server = heartbeat_server(settings, Counters(), SystemClock())
    assert server.addresses == []
    await server.start()
    url = f"http://{server.addresses[0].rpartition('/')[2]}/heartbeat"
    try:
        async with aiohttp.ClientSession() as session:
            for origin, status in (("http://console.example", 200), ("http://page.example", 403)):
                async with session.get(url, headers={"Origin": origin}) as answer:
                    assert answer.status == status
                    if status == 200:
                        assert await answer.text() == "OK\n"
    finally:
        await server.stop()
