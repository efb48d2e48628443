import queue

from magnetar.sync import Client

from bench.servers import Server


def test_a_table_follows_its_topic(server: Server, topic: str) -> None:
    changes: queue.Queue[tuple[str, bytes]] = queue.Queue()
    with Client(server.service_url) as client:
        producer = client.create_producer(topic)
        producer.send(b"1", partition_key="a")
        with client.create_table_view(topic) as view:
            assert (view.get("a"), len(view), "a" in view, list(view)) == (b"1", 1, True, ["a"])
            view.for_each(lambda key, value: changes.put((key, value)))
            view.for_each_and_listen(lambda key, value: changes.put((key, value)))
            producer.send(b"2", partition_key="b")
            found = [changes.get(timeout=10) for _ in range(3)]
            assert found == [("a", b"1"), ("a", b"1"), ("b", b"2")]
