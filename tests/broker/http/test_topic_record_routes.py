"""Properties and records of topics and subscriptions over HTTP."""

from tests.broker.http.web_world import web_world

T = "/admin/v2/persistent/public/default/t"


async def test_properties() -> None:
    async with web_world() as world:
        path = f"{T}/properties"
        assert (await world.ask("GET", path))[0] == 404
        assert (await world.ask("PUT", T, {"a": "b"}))[0] == 204
        assert await world.ask("GET", path) == (200, {"a": "b"})
        assert (await world.ask("PUT", path, {"c": "d"}))[0] == 204
        assert await world.ask("GET", path) == (200, {"a": "b", "c": "d"})
        for query in ("?key=a", "?key=zz", ""):
            assert (await world.ask("DELETE", f"{path}{query}"))[0] == 204
        assert await world.ask("GET", path) == (200, {"c": "d"})
        assert (await world.ask("PUT", f"{T}/unload"))[0] == 204
        assert await world.ask("GET", path) == (200, {"c": "d"})  # kept
        assert (await world.ask("PUT", path, {"c": 1}))[0] == 400
        other = path.replace("persistent", "non-persistent")
        assert (await world.ask("GET", other))[0] == 406


async def test_properties_of_partitioned_topics() -> None:
    async with web_world() as world:
        path = f"{T}/properties"
        assert (await world.ask("PUT", f"{T}/partitions", 2))[0] == 204
        assert await world.ask("GET", path) == (200, b"")
        assert (await world.ask("PUT", path, {"c": "d"}))[0] == 204
        assert await world.ask("GET", path) == (200, {"c": "d"})
        found = (await world.ask("GET", f"{T}/partitions"))[1]
        assert found == {"partitions": 2, "deleted": False, "properties": {"c": "d"}}
        assert (await world.ask("DELETE", f"{path}?key=c"))[0] == 204
        assert await world.ask("GET", path) == (200, b"")


async def test_properties_of_subscriptions() -> None:
    async with web_world() as world:
        assert (await world.ask("PUT", f"{T}/partitions", 2))[0] == 204
        assert (await world.ask("PUT", f"{T}/subscription/s", "earliest"))[0] == 204
        path = f"{T}/subscription/s/properties"
        assert await world.ask("GET", path) == (200, {})
        assert (await world.ask("PUT", path, {"p": "q"}))[0] == 204
        assert await world.ask("GET", path) == (200, {"p": "q"})
        one = f"{T}-partition-1/subscription/s/properties"
        assert await world.ask("GET", one) == (200, {"p": "q"})
        assert (await world.ask("GET", f"{T}/subscription/no/properties"))[0] == 404


async def test_internal_info() -> None:
    async with web_world() as world:
        path = f"{T}/internal-info"
        assert (await world.ask("GET", path))[0] == 404
        assert (await world.ask("PUT", T, {"a": "b"}))[0] == 204
        assert (await world.ask("PUT", f"{T}/subscription/s", "earliest"))[0] == 204
        status, info = await world.ask("GET", path)
        assert status == 200
        (ledger,) = info["ledgers"]
        assert (ledger["isOffloaded"], info["properties"]) == (False, {"a": "b"})
        assert info["cursors"]["s"]["markDelete"] == {
            "ledgerId": ledger["ledgerId"],
            "entryId": -1,
        }
        assert info["creationDate"].endswith("Z")
        assert (await world.ask("POST", f"{T}/terminate"))[0] == 200
        info = (await world.ask("GET", path))[1]
        assert info["terminatedPosition"]["ledgerId"] == ledger["ledgerId"]


async def test_internal_info_of_partitions() -> None:
    async with web_world() as world:
        assert (await world.ask("PUT", f"{T}/partitions", 2))[0] == 204
        info = (await world.ask("GET", f"{T}/internal-info"))[1]
        assert set(info["partitions"]) == {
            f"persistent://public/default/t-partition-{index}" for index in range(2)
        }


async def test_trim() -> None:
    async with web_world() as world:
        assert (await world.ask("POST", f"{T}/trim"))[0] == 404
        assert (await world.ask("PUT", T))[0] == 204
        assert (await world.ask("POST", f"{T}/trim"))[0] == 200
        other = T.replace("persistent", "non-persistent")
        assert (await world.ask("POST", f"{other}/trim"))[0] == 405
