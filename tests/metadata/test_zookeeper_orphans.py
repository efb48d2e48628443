"""Which sequential nodes are orphans of a lost reply. What the servers do is in test_zookeeper."""

from magnetar_metadata.zookeeper_orphans import SequentialNodes, remove_orphans


def test_only_untold_nodes_of_the_prefix_may_be_orphans() -> None:
    nodes = SequentialNodes()
    nodes.told("/q/V_0000000001")
    assert not nodes.may_be_orphan("/q/V_", "/q/V_0000000001")
    assert nodes.may_be_orphan("/q/V_", "/q/V_0000000002")
    assert nodes.may_be_orphan("/q/V_", "/q/V_-2147483648")
    assert not nodes.may_be_orphan("/q/V_", "/q/V_2")
    assert not nodes.may_be_orphan("/q/V_", "/q/V_extra_0000000002")
    assert not nodes.may_be_orphan("/q/V_", "/q/W_0000000002")
    nodes.removed("/q/V_0000000001")
    assert nodes.may_be_orphan("/q/V_", "/q/V_0000000001")


def test_a_suspect_is_looked_through_once_and_not_in_a_later_session() -> None:
    nodes = SequentialNodes()
    nodes.reply_lost("/a")
    nodes.reply_lost("/a")
    assert nodes.has_suspects()
    assert nodes.take_suspects() == ["/a"]
    assert not nodes.has_suspects()
    nodes.reply_lost("/a")
    nodes.session_ended()
    assert nodes.take_suspects() == []


async def test_what_is_ours_and_untold_is_removed() -> None:
    nodes = SequentialNodes()
    told, foreign, orphan = (f"/q/V_000000000{n}" for n in range(3))
    nodes.told(told)
    removed: list[str] = []

    async def owned(path: str) -> bool:
        return path != foreign

    async def remove(path: str) -> None:
        removed.append(path)

    found = await remove_orphans(nodes, "/q/V_", [told, foreign, orphan], owned, remove)
    assert found == removed == [orphan]


async def test_a_create_that_is_told_meanwhile_stays() -> None:
    nodes = SequentialNodes()

    async def owned(path: str) -> bool:
        nodes.told(path)  # its reply came before the answer to this
        return True

    async def remove(path: str) -> None:
        raise AssertionError(path)

    assert await remove_orphans(nodes, "/q/V_", ["/q/V_0000000001"], owned, remove) == []
