"""The blocking twin of the client: the same calls without `await`, from any thread.

    with Client("pulsar://localhost:6650") as client:
        producer = client.create_producer("topic")
        producer.send(b"hello")

An event loop in a thread of its own runs the asyncio client; nothing is done twice.
"""

from magnetar.sync.client import Client as Client
from magnetar.sync.consumer import Consumer as Consumer
from magnetar.sync.consumer import Reader as Reader
from magnetar.sync.producer import Producer as Producer
from magnetar.sync.table_view import TableView as TableView
