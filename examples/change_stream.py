"""A stream of changes, and the table that it adds up to.

    python examples/change_stream.py [SERVICE_URL]

Prices change. Whoever wants all changes reads the topic; whoever wants the prices of now has a
table view, which is complete when it opens and follows what comes. No database is needed.
"""

import asyncio
import sys

from magnetar import Client, MessageId

TOPIC = "example-prices"
CHANGES = [("apples", b"1.20"), ("pears", b"2.00"), ("apples", b"1.35"), ("plums", b"0.90")]


async def main(service_url: str) -> None:
    async with Client(service_url) as client:
        producer = await client.create_producer(TOPIC)
        for product, price in CHANGES:
            await producer.send(price, partition_key=product)

        async with await client.create_table_view(TOPIC) as prices:
            print("prices:", sorted((name, price.decode()) for name, price in prices.items()))

            changed = asyncio.Event()

            def show(product: str, price: bytes | None) -> None:
                if product == "pears" and price is None:
                    changed.set()

            prices.for_each_and_listen(show)
            await producer.send(b"", partition_key="pears")  # an empty content takes it away
            async with asyncio.timeout(10):
                await changed.wait()
            print("without pears:", sorted(prices))

        reader = await client.create_reader(TOPIC, MessageId.earliest)
        history = []
        while await reader.has_message_available():
            message = await reader.read_next()
            history.append(f"{message.partition_key()}={message.data().decode() or 'gone'}")
        print("history:", ", ".join(history))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "pulsar://localhost:6650"))
