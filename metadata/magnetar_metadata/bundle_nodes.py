"""Who owns which bundle: an ephemeral node per bundle, made by the session of its owner.

A node is made in one step with a look at the version of the namespace's local policies. So nobody
takes a bundle that was split since: of two brokers with different ideas of the bundles, one fails.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

from magnetar_metadata.broker_addresses import BundleOwner
from magnetar_metadata.errors import (
    BadVersionError,
    MalformedRecordError,
    NodeExistsError,
    NoNodeError,
    SessionExpiredError,
    UnknownOutcomeError,
)
from magnetar_metadata.namespace_bundles import Bundle
from magnetar_metadata.session_bound import SessionBoundStore
from magnetar_metadata.store import Check, Create, Delete, MetadataStore, Operation, SetValue
from magnetar_metadata.topic_records import LocalPolicies, decode_json, encode_json

OWNERS_PATH: Final = "/namespace"
LOCAL_POLICIES_PATH: Final = "/admin/local-policies"


class BundleNodes:
    """The ownership nodes of all bundles."""

    def __init__(self, store: MetadataStore) -> None:
        self._store = store

    async def owner(self, bundle: Bundle) -> tuple[BundleOwner, bool] | None:
        """Who owns a bundle, and whether that is the session of now; None if nobody does.

        Raises:
            MalformedRecordError: the node says nothing.
        """
        node = await self._store.get(_path(bundle))
        if node is None:
            return None
        mine = node.stat.ephemeral_owner == self._store.session_id
        return decode_json(BundleOwner, node.value), mine

    def watch(self, bundle: Bundle, hint: Callable[[], None]) -> Callable[[], None]:
        """Call `hint` when the owner of a bundle may have changed. Returns what ends that."""
        return self._store.watch(_path(bundle), lambda _: hint())

    async def acquire(self, bundle: Bundle, owner: BundleOwner, policies_version: int) -> bool:
        """Take a bundle that nobody has; whether the session of now has it.

        Raises:
            BadVersionError: the namespace's bundles are not those of `policies_version` any more.
            SessionExpiredError: the session has ended.
        """
        steps = (
            Check(_policies_path(bundle.namespace), policies_version),
            Create(_path(bundle), encode_json(owner), ephemeral=True),
        )
        while True:
            try:
                await self._store.multi(steps)
            except NodeExistsError:
                found = await self.owner(bundle)
                if found is not None:
                    return found[1]
            except UnknownOutcomeError:
                pass  # if it was made, it is found
            except NoNodeError as error:
                if error.path != _path(bundle):  # the policies are gone: so is what they said
                    raise BadVersionError(error.path, "local policies were deleted") from error
                await self._make_parent(bundle.namespace)
            else:
                return True

    async def _make_parent(self, namespace: str) -> None:
        with suppress(NodeExistsError, UnknownOutcomeError):
            await self._store.create(f"{OWNERS_PATH}/{namespace}", b"")

    async def release(self, bundle: Bundle) -> None:
        """Leave a bundle to another; nothing if it is not the session's."""
        while True:
            # Scenario: the session ends while the deletion waits for a connection. In the next one
            # the node is that of another owner, and has the same version.
            store = SessionBoundStore(self._store)
            node = await store.get(_path(bundle))
            if node is None or node.stat.ephemeral_owner != store.session_id:
                return
            with suppress(NoNodeError, UnknownOutcomeError, SessionExpiredError):
                await store.delete(_path(bundle), node.stat.version)
                return

    async def split(
        self,
        bundle: Bundle,
        parts: tuple[Bundle, Bundle],
        owner: BundleOwner,
        policies: LocalPolicies,
        policies_version: int,
    ) -> int:
        """Split a bundle that the session of now owns, and own both parts.

        All of it happens in one step: there is no time at which a topic has two owners, or none.

        Returns:
            The new version of the namespace's local policies.

        Raises:
            BadVersionError: they changed meanwhile.
            NoNodeError: the bundle is not owned any more.
            SessionExpiredError: nothing of it is owned any more.
        """
        # Scenario: the answer is lost, the session ends, and another owner takes the bundle. The
        # next attempt would delete that one's node.
        store = SessionBoundStore(self._store)
        value = encode_json(owner)
        steps: list[Operation] = [
            SetValue(_policies_path(bundle.namespace), encode_json(policies), policies_version),
            Delete(_path(bundle)),
            *(Create(_path(part), value, ephemeral=True) for part in parts),
        ]
        lost = False
        while True:
            try:
                await store.multi(steps)
            except UnknownOutcomeError:
                lost = True  # if it was done, that is found: it cannot be done twice
            except (BadVersionError, NoNodeError):
                if not (lost and await self._has_all(parts)):
                    raise
                return policies_version + 1
            else:
                return policies_version + 1

    async def _has_all(self, bundles: Iterable[Bundle]) -> bool:
        """Whether the session of now owns all of these."""
        owners = [await self.owner(bundle) for bundle in bundles]
        return all(owner is not None and owner[1] for owner in owners)

    async def owned(self, namespace: str) -> list[Bundle]:
        """The bundles of a namespace that anybody owns."""
        bundles = []
        for name in await self._store.children(f"{OWNERS_PATH}/{namespace}"):
            with suppress(MalformedRecordError):
                bundles.append(Bundle.parse(f"{namespace}/{name}"))
        return bundles


def _path(bundle: Bundle) -> str:
    return f"{OWNERS_PATH}/{bundle}"


def _policies_path(namespace: str) -> str:
    return f"{LOCAL_POLICIES_PATH}/{namespace}"
