"""The client: what users begin with."""

import asyncio
import logging
import random
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Unpack

from magnetar_runtime.clock import Clock, SystemClock
from magnetar_runtime.network import Network, SystemNetwork
from magnetar_runtime.scope import TaskScope

from magnetar.authentication import NO_AUTHENTICATION, Authentication
from magnetar.client_tls import TlsOptions
from magnetar.closing import AsyncClosing
from magnetar.connection_pool import ConnectionPool
from magnetar.directories import Directories
from magnetar.errors import AlreadyClosed, ClientForked, PulsarException
from magnetar.fork_guard import guard
from magnetar.lookup import Lookup
from magnetar.message_id import MessageId
from magnetar.setups import Setups
from magnetar.topic_name import full_name
from magnetar.types import ConsumerType

if TYPE_CHECKING:  # loaded when the first is opened
    from magnetar.consumer import Consumer
    from magnetar.consumer_options import ConsumerArguments
    from magnetar.producer import Producer
    from magnetar.producer_options import ProducerArguments
    from magnetar.reader import Reader
    from magnetar.table_view import TableView

log = logging.getLogger(__name__)

KEEP_ALIVE_INTERVAL_MS: Final = 30_000
_TOPICS_INTERVAL_S: Final = 60.0


class Client(AsyncClosing):
    """A client of a cluster. `async with Client(url) as client` closes it in the end.

    Args:
        service_url: `pulsar://host:6650`, `pulsar+ssl://host:6651`, several hosts with commas
            between; with `http://host:8080` and `https://host:8443` topics are looked up over HTTP.
        authentication: who this is.
        operation_timeout_seconds: for lookups, for opening and closing producers and consumers.
        concurrent_lookup_requests: how many lookups may be under way.
        use_tls: with `pulsar://`, use TLS all the same.
        tls_trust_certs_file_path: PEM file by whose certificates the broker's must be issued;
            those of the machine if there is none.
        tls_allow_insecure_connection: take any certificate.
        tls_validate_hostname: the certificate must name the host (the official client's default
            is that any will do).
        connection_timeout_ms: for connecting.
        listener_name: which advertised listener of the brokers is wanted.
        tls_private_key_file_path, tls_certificate_file_path: of this client.
        keep_alive_interval_ms: without a sign of life for so long a connection is asked for one.
        network: where connections are made; for tests.
        clock, rng: what tells the time and what is left to chance; for tests.

    Use it in one event loop only. Arguments of the official client that have no meaning here
    (`io_threads`, `message_listener_threads`, `log_conf_file_path`, `stats_interval_in_seconds`,
    `logger`) are taken and have no effect; what happens is logged by the standard library's
    loggers below "magnetar".
    """

    def __init__(
        self,
        service_url: str,
        authentication: Authentication | None = None,
        operation_timeout_seconds: float = 30,
        io_threads: int = 1,
        message_listener_threads: int = 1,
        concurrent_lookup_requests: int = 50_000,
        log_conf_file_path: str | None = None,
        stats_interval_in_seconds: int = 600,
        use_tls: bool = False,
        tls_trust_certs_file_path: str | None = None,
        tls_allow_insecure_connection: bool = False,
        tls_validate_hostname: bool = True,
        logger: Any = None,
        connection_timeout_ms: int = 10_000,
        listener_name: str | None = None,
        tls_private_key_file_path: str | None = None,
        tls_certificate_file_path: str | None = None,
        *,
        keep_alive_interval_ms: int = KEEP_ALIVE_INTERVAL_MS,
        network: Network | None = None,
        clock: Clock | None = None,
        rng: random.Random | None = None,
    ) -> None:
        if use_tls and service_url.startswith("pulsar://"):
            service_url = "pulsar+ssl://" + service_url.removeprefix("pulsar://")
        self._service_url = service_url
        who = authentication or NO_AUTHENTICATION
        tls = TlsOptions(
            trusted=tls_trust_certs_file_path,
            certificate=who.certificate_path or tls_certificate_file_path,
            key=who.private_key_path or tls_private_key_file_path,
            allow_insecure=tls_allow_insecure_connection,
            validate_hostname=tls_validate_hostname,
        )
        self._timeout_s = float(operation_timeout_seconds)
        self._scope = TaskScope(self._work_failed)
        self._rng = rng or random.Random()
        clock = clock or SystemClock()
        network = network or SystemNetwork()
        self._pool = ConnectionPool(
            network,
            self._scope,
            who,
            tls.context,
            connection_timeout_ms,
            keep_alive_interval_ms,
        )
        self._directories = Directories(
            self._pool,
            network,
            who,
            tls.context,
            connection_timeout_ms,
            listener_name,
            self._timeout_s,
            concurrent_lookup_requests,
        )
        asked = self._directories.of(service_url)
        self._lookup = Lookup(self._pool, asked, self._timeout_s, self._rng)
        self._setups = Setups(
            self._lookup, self._scope, clock, self._rng, self._timeout_s, self.create_producer
        )
        self._error: PulsarException | None = None
        self._growing = False
        guard(self)

    async def create_producer(
        self, topic: str, producer_name: str | None = None, **options: "Unpack[ProducerArguments]"
    ) -> "Producer":
        """Open a producer.

        Args:
            topic: its name, short or full.
            producer_name: unique among the topic's producers; made up by the broker if not given.
            options: see `ProducerOptions`.

        Raises:
            InvalidConfiguration, InvalidTopicName: the arguments do not fit.
            PulsarException: the broker refuses, or cannot be reached in time.
        """
        from magnetar.producer_options import ProducerOptions

        self._check()
        wanted = ProducerOptions(producer_name=producer_name, **options)
        producer = await self._setups.producers.open(full_name(topic), wanted)
        self._follow_topics()
        return producer

    async def subscribe(
        self,
        topic: str | Sequence[str] | re.Pattern[str],
        subscription_name: str,
        consumer_type: ConsumerType = ConsumerType.Exclusive,
        **options: "Unpack[ConsumerArguments]",
    ) -> "Consumer":
        """Open a consumer of a subscription, which is made if there is none.

        Args:
            topic: a topic, several, or a pattern (`re.compile("persistent://tenant/ns/.*")`, or a
                text with `is_pattern_topic`) that whole names must match.
            subscription_name: shared by all consumers that use it.
            consumer_type: who gets a message.
            options: see `ConsumerOptions`.

        Raises:
            InvalidConfiguration, InvalidTopicName: the arguments do not fit.
            PulsarException: the broker refuses, or cannot be reached in time.
        """
        from magnetar.consumer_options import ConsumerOptions

        self._check()
        wanted = ConsumerOptions(
            subscription_name=subscription_name, consumer_type=consumer_type, **options
        )
        consumer = await self._setups.consumers.open(topic, wanted)
        self._follow_topics()
        return consumer

    async def create_reader(
        self,
        topic: str,
        start_message_id: MessageId,
        schema: Any = None,
        receiver_queue_size: int = 1000,
        reader_name: str | None = None,
        subscription_role_prefix: str | None = None,
        is_read_compacted: bool = False,
        crypto_key_reader: Any = None,
        start_message_id_inclusive: bool = False,
    ) -> "Reader":
        """Open a reader: it begins where it is told, and leaves nothing behind.

        Args:
            start_message_id: the first message is the one behind it (or itself, if inclusive);
                `MessageId.earliest` and `MessageId.latest` for the ends of the topic.

        For the others see `subscribe`.
        """
        from magnetar.consumer_options import ConsumerOptions
        from magnetar.reader import Reader

        self._check()
        prefix = f"{subscription_role_prefix}-" if subscription_role_prefix else ""
        options = ConsumerOptions(
            subscription_name=f"{prefix}reader-{self._rng.getrandbits(40):010x}",
            schema=schema,
            receiver_queue_size=receiver_queue_size,
            consumer_name=reader_name,
            is_read_compacted=is_read_compacted,
            crypto_key_reader=crypto_key_reader,
            start_message_id=start_message_id,
            start_message_id_inclusive=start_message_id_inclusive,
            durable=False,
        )
        consumer = await self._setups.consumers.open(full_name(topic), options)
        return Reader(consumer)

    async def create_table_view(
        self, topic: str, subscription_name: str | None = None, schema: Any = None
    ) -> "TableView":
        """Open a table of the last value of each key; it is complete up to now when this returns.

        Args:
            topic: messages without a key are left out, an empty content deletes.
            subscription_name: for the broker's statistics.
            schema: what values are read with.
        """
        from magnetar.table_view import TableView

        reader = await self.create_reader(
            topic,
            MessageId.earliest,
            schema=schema,
            subscription_role_prefix=subscription_name,
            is_read_compacted=full_name(topic).startswith("persistent"),
        )
        view = TableView(reader, self._scope)
        try:
            await view.start()
        except BaseException:
            reader.shutdown()  # nobody has it
            raise
        return view

    async def get_topic_partitions(self, topic: str) -> list[str]:
        """The full names of a topic's partitions; the topic itself if it has none."""
        self._check()
        name = full_name(topic)
        count = await self._lookup.partitions(name)
        return [f"{name}-partition-{index}" for index in range(count)] or [name]

    def update_service_url(self, service_url: str) -> None:
        """Look topics up there from now on; what is connected stays so until it is lost."""
        self._lookup.use(self._directories.of(service_url))
        self._service_url = service_url

    @property
    def service_url(self) -> str:
        """Where it looks topics up."""
        return self._service_url

    async def close(self) -> None:
        """Close all producers and consumers after what was sent has its receipts, then the rest."""
        if self._error is not None:
            return
        self._error = AlreadyClosed("the client is closed")
        try:
            await self._setups.close()
        finally:
            # Normally nothing is left; after an error nobody may wait for ever.
            self._setups.end(self._error)
            self._pool.close()
            await self._scope.close()

    def shutdown(self) -> None:
        """Close everything at once, without waiting for anything."""
        if isinstance(self._error, ClientForked):
            return  # connections are the parent's, and so is what its event loop waits for
        self._error = self._error or AlreadyClosed("the client is closed")
        self._setups.end(self._error)
        self._pool.close()

    def forked(self) -> None:
        """Not for users: this process is a child of the one that the client belongs to."""
        self._error = ClientForked(
            "this client was made before a fork; a child process must make its own"
        )
        self._setups.forked(self._error)

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    def _follow_topics(self) -> None:
        """Look now and then whether topics have more partitions."""
        if not self._growing and not self._scope.closed:
            self._growing = True
            self._scope.spawn(self._grow(), name="partitions that grow")

    async def _grow(self) -> None:
        while True:
            await asyncio.sleep(_TOPICS_INTERVAL_S)
            await self._setups.grow()

    def _work_failed(self, error: BaseException) -> None:
        log.error("the client ends by a defect of its own", exc_info=error)
        self.shutdown()
