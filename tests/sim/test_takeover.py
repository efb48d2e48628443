"""The rules for a broker that may not be the owner any more (docs/architecture.md)."""

import asyncio

from tests.sim.pair import NAME, SESSION_S, Pair, Talker, run, until


def test_a_session_that_ends_takes_the_topics_along() -> None:
    async def main(pair: Pair) -> None:
        talker = await Talker.open(pair, pair.one, "client")
        talker.publish("a", "b")
        await until(lambda: len(talker.receipts) == 2 and len(talker.delivered) == 2)
        pair.one.session.expire()
        await until(lambda: talker.closed == {"CommandCloseProducer", "CommandCloseConsumer"})
        await until(lambda: not pair.one.service.topics.loaded)
        talker.publish("late")
        talker.ack(0)
        await until(lambda: pair.one.cluster.registered)
        await pair.two.take()
        other = await Talker.open(pair, pair.two, "other")
        other.publish("c")
        await until(lambda: len(other.delivered) == 3)
        assert other.texts == ["a", "b", "c"]  # nor was the ack taken
        assert (len(talker.receipts), len(talker.delivered)) == (2, 2)
        where = await pair.one.cluster.ownership.look_up(NAME, authoritative=True, listener="")
        assert where.urls == pair.two.service.config.addresses.urls

    run(main)


def test_cut_off_from_metadata_it_serves_on_until_it_is_refused() -> None:
    async def main(pair: Pair) -> None:
        talker = await Talker.open(pair, pair.one, "client")
        talker.publish("a")
        await until(lambda: len(talker.delivered) == 1)
        pair.cut_off(pair.one)
        await asyncio.sleep(2 * SESSION_S)  # its session has ended, and it cannot know
        talker.publish("b")
        await until(lambda: len(talker.receipts) == 2 and len(talker.delivered) == 2)
        await pair.two.take()
        other = await Talker.open(pair, pair.two, "other")
        await until(lambda: other.texts == ["a", "b"])  # what was acknowledged is there
        other.publish("c")
        await until(lambda: len(other.receipts) == 1)
        talker.publish("d")
        await until(lambda: talker.closed == {"CommandCloseProducer", "CommandCloseConsumer"})
        assert len(talker.receipts) == 2
        assert len(talker.errors) == 1
        assert talker.texts == ["a", "b"]
        await until(lambda: not pair.one.service.topics.loaded)
        pair.world.network.heal()
        await until(lambda: pair.one.cluster.registered, 10 * SESSION_S)
        other.publish("e")
        await until(lambda: other.texts == ["a", "b", "c", "e"])

    run(main)


def test_cut_off_from_metadata_for_all_nobody_takes_over() -> None:
    async def main(pair: Pair) -> None:
        talker = await Talker.open(pair, pair.one, "client")
        pair.cut_off(pair.one)
        pair.cut_off(pair.two)
        for number in range(10):
            talker.publish(f"{number}")
            await until(lambda: len(talker.delivered) == talker.sent)
            await asyncio.sleep(SESSION_S / 20)
        pair.world.network.heal()
        await asyncio.sleep(2 * SESSION_S)
        talker.publish("after")
        await until(lambda: len(talker.receipts) == 11 and not talker.closed)

    run(main)


def test_cut_off_from_bookies_it_stays_the_owner() -> None:
    async def main(pair: Pair) -> None:
        talker = await Talker.open(pair, pair.one, "client")
        talker.publish("a")
        await until(lambda: len(talker.delivered) == 1)
        for bookie in pair.one.bookies.values():
            bookie.cut = True
        talker.publish("b")
        await until(lambda: bool(talker.errors))
        assert len(talker.receipts) == 1
        where = await pair.two.cluster.ownership.look_up(NAME, authoritative=True, listener="")
        assert where.urls == pair.one.service.config.addresses.urls
        for bookie in pair.one.bookies.values():
            bookie.cut = False
        await asyncio.sleep(30)
        again = await Talker.open(pair, pair.one, "again")
        again.publish("c")
        await until(lambda: len(again.receipts) == 1)
        assert pair.one.cluster.ownership.serves(NAME)

    run(main)


def test_who_stops_hands_over_and_keeps_what_was_acked() -> None:
    async def main(pair: Pair) -> None:
        talker = await Talker.open(pair, pair.one, "client")
        talker.publish("a", "b", "c")
        await until(lambda: len(talker.delivered) == 3)
        talker.ack(1)
        await asyncio.sleep(0.1)
        await pair.one.cluster.leave()
        await until(lambda: talker.closed == {"CommandCloseProducer", "CommandCloseConsumer"})
        where = await pair.one.cluster.ownership.look_up(NAME, authoritative=False, listener="")
        assert where.urls == pair.two.service.config.addresses.urls
        await pair.two.take()
        other = await Talker.open(pair, pair.two, "other")
        await until(lambda: other.texts == ["a", "c"])
        assert talker.errors == []

    run(main)
