"""Names of topics and namespaces: parsing, validation, and the forms they take elsewhere."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Self

from magnetar_metadata.topic_paths import managed_ledger_name

from magnetar_broker.errors import InvalidTopicNameError
from magnetar_broker.name_length import check_name_length

PERSISTENT: Final = "persistent"
NON_PERSISTENT: Final = "non-persistent"
PARTITION_INFIX: Final = "-partition-"

_PART = re.compile(r"[-=:.\w]+", re.ASCII)
_PARTITION_INDEX = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)


@dataclass(frozen=True)
class NamespaceName:
    """`tenant/name`."""

    tenant: str
    name: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `tenant/name`.

        Raises:
            InvalidTopicNameError: it is something else.
        """
        check_name_length("namespace", text, InvalidTopicNameError)
        tenant, slash, name = text.partition("/")
        if not slash or not _PART.fullmatch(tenant) or not _PART.fullmatch(name):
            raise InvalidTopicNameError(
                f"Invalid namespace name '{text}': expected tenant/namespace of letters, digits "
                "and -=:._"
            )
        return cls(tenant, name)

    def __str__(self) -> str:
        return f"{self.tenant}/{self.name}"


@dataclass(frozen=True)
class TopicName:
    """`domain://tenant/namespace/local`. Equal names are equal strings."""

    domain: str
    tenant: str
    namespace_name: str
    local_name: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a full name, or a short one (`local` or `tenant/namespace/local`).

        Raises:
            InvalidTopicNameError: it is none, or one with a cluster (the form before Pulsar 2).
        """
        check_name_length("topic", text, InvalidTopicNameError)
        domain, separator, rest = text.partition("://")
        if not separator:
            domain, rest = PERSISTENT, text
            if "/" not in text:
                rest = f"public/default/{text}"
            elif text.count("/") != 2:
                raise InvalidTopicNameError(
                    f"Invalid short topic name '{text}': expected 'topic' or "
                    "'tenant/namespace/topic'"
                )
        if domain not in (PERSISTENT, NON_PERSISTENT):
            raise InvalidTopicNameError(
                f"Invalid topic name '{text}': the domain is '{domain}', expected "
                "'persistent' or 'non-persistent'"
            )
        return cls._of_parts(text, domain, rest.split("/"))

    @classmethod
    def _of_parts(cls, text: str, domain: str, parts: list[str]) -> Self:
        if len(parts) > 3:
            raise InvalidTopicNameError(
                f"Invalid topic name '{text}': names with a cluster, or with '/' in the local "
                "name, are not supported; use domain://tenant/namespace/topic"
            )
        if len(parts) < 3 or not parts[2].strip():
            raise InvalidTopicNameError(
                f"Invalid topic name '{text}': expected domain://tenant/namespace/topic"
            )
        tenant, namespace, local = parts
        if local in _RELATIVE:
            raise InvalidTopicNameError(
                f"Invalid topic name '{text}': metadata has no place for '{local}'"
            )
        if not _PART.fullmatch(tenant) or not _PART.fullmatch(namespace):
            raise InvalidTopicNameError(
                f"Invalid topic name '{text}': tenant and namespace take letters, digits and -=:._"
            )
        return cls(domain, tenant, namespace, local)

    @cached_property
    def _text(self) -> str:
        return f"{self.domain}://{self.tenant}/{self.namespace_name}/{self.local_name}"

    def __str__(self) -> str:
        return self._text

    @property
    def persistent(self) -> bool:
        return self.domain == PERSISTENT

    @property
    def namespace(self) -> NamespaceName:
        return NamespaceName(self.tenant, self.namespace_name)

    @cached_property
    def partition_index(self) -> int:
        """Which partition of its parent this is; -1 if it is none."""
        _, infix, index = self.local_name.rpartition(PARTITION_INFIX)
        return int(index) if infix and _PARTITION_INDEX.fullmatch(index) else -1

    @property
    def is_partition(self) -> bool:
        return self.partition_index >= 0

    @property
    def parent(self) -> "TopicName":
        """The partitioned topic that this is a partition of; itself if it is none."""
        if not self.is_partition:
            return self
        local, _, _ = self.local_name.rpartition(PARTITION_INFIX)
        return TopicName(self.domain, self.tenant, self.namespace_name, local)

    def partition(self, index: int) -> "TopicName":
        """The name of one of the partitions of this topic."""
        local = f"{self.local_name}{PARTITION_INFIX}{index}"
        return TopicName(self.domain, self.tenant, self.namespace_name, local)

    @property
    def is_system(self) -> bool:
        """Whether the topic is one that brokers keep for themselves, hidden from lists."""
        local = self.parent.local_name
        return (
            local == "__change_events"
            or local.startswith("__transaction_buffer_snapshot")
            or local.endswith("__transaction_pending_ack")
            or (str(self.namespace) == "pulsar/system" and local.startswith("__transaction_log_"))
            or (str(self.namespace) == "pulsar/system" and local == _COORDINATORS)
        )

    @property
    def ledger_name(self) -> str:
        """The name of its managed ledger: `tenant/namespace/domain/<encoded local name>`."""
        return managed_ledger_name(self.tenant, self.namespace_name, self.domain, self.local_name)


_RELATIVE: Final = (".", "..")
_COORDINATORS: Final = "transaction_coordinator_assign"
