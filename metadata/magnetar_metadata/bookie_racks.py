"""Which rack a bookie stands in: the node that `pulsar-admin bookies set-bookie-rack` writes."""

import json
from collections.abc import Mapping
from typing import Any, Final

from magnetar_metadata.errors import MalformedRecordError
from magnetar_metadata.store import MetadataStore

BOOKIE_RACKS_PATH: Final = "/bookies"


class BookieRacks:
    """Pulsar's bookie affinity groups: group -> bookie id -> rack and host name."""

    def __init__(self, store: MetadataStore) -> None:
        self._store = store

    async def racks(self) -> dict[str, str]:
        """Racks by bookie id, of all groups; bookies that nobody has placed are not there.

        Raises:
            MalformedRecordError
        """
        return racks_of(await self.groups())

    async def groups(self) -> Mapping[str, Any]:
        """The node as it is, an object of objects. Raises MalformedRecordError."""
        node = await self._store.get(BOOKIE_RACKS_PATH)
        try:
            found = json.loads(node.value) if node is not None and node.value else {}
        except ValueError as error:
            raise MalformedRecordError(BOOKIE_RACKS_PATH, str(error)) from error
        return {name: _mapping(group) for name, group in _mapping(found).items()}


def racks_of(groups: Mapping[str, Any]) -> dict[str, str]:
    """Raises MalformedRecordError."""
    racks: dict[str, str] = {}
    for group in groups.values():
        for bookie_id, info in _mapping(group).items():
            rack = _mapping(info).get("rack")
            if rack:
                racks[bookie_id] = str(rack)
    return racks


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise MalformedRecordError(BOOKIE_RACKS_PATH, "an object was expected")
    return value
