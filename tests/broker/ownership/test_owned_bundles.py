"""What is owned belongs to one session: a model against any order of events."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from magnetar_broker.ownership.owned_bundles import OwnedBundles
from magnetar_metadata.namespace_bundles import Bundle

BUNDLES = [Bundle("t/n", start, start + 8) for start in range(0, 64, 8)]
bundles = st.sampled_from(BUNDLES)


class OwnedBundlesModel(RuleBasedStateMachine):
    """The model: a set of those that are served, one of those that are leaving."""

    def __init__(self) -> None:
        super().__init__()
        self.owned = OwnedBundles()
        self.session_id = 1
        self.owned.begin_session(1)
        self.served: set[Bundle] = set()
        self.leaving: set[Bundle] = set()

    @rule(bundle=bundles, late=st.booleans())
    def taken(self, bundle: Bundle, late: bool) -> None:
        session_id = self.session_id - 1 if late else self.session_id
        assert self.owned.taken(bundle, session_id) is not late
        if not late and bundle not in self.leaving:
            self.served.add(bundle)

    @rule(bundle=bundles)
    def begin_leave(self, bundle: Bundle) -> None:
        assert self.owned.begin_leave(bundle) is (bundle in self.served)
        if bundle in self.served:
            self.served.discard(bundle)
            self.leaving.add(bundle)

    @rule(bundle=bundles, gone=st.booleans())
    def end_leave(self, bundle: Bundle, gone: bool) -> None:
        if bundle not in self.leaving:
            return
        self.leaving.discard(bundle)
        if gone:
            self.owned.left(bundle)
        else:
            self.owned.stay(bundle)
            self.served.add(bundle)

    @precondition(lambda self: self.served)
    @rule(data=st.data())
    def split(self, data: st.DataObject) -> None:
        bundle = data.draw(st.sampled_from(sorted(self.served)))
        if bundle.upper - bundle.lower < 2:
            return
        at = (bundle.lower + bundle.upper) // 2
        parts = Bundle("t/n", bundle.lower, at), Bundle("t/n", at, bundle.upper)
        if set(parts) & (self.served | self.leaving):
            return
        self.owned.split(bundle, parts)
        self.served = self.served - {bundle} | set(parts)

    @rule(old=st.booleans())
    def session_ended(self, old: bool) -> None:
        if old:
            assert self.owned.session_ended(self.session_id - 1) == []
            return
        assert set(self.owned.session_ended(self.session_id)) == self.served | self.leaving
        self.session_id += 1
        self.owned.begin_session(self.session_id)
        self.served, self.leaving = set(), set()

    @invariant()
    def is_as_the_model(self) -> None:
        assert {each for each in self.owned.bundles if self.owned.serves(each)} == self.served
        leaving = {each for each in self.owned.bundles if self.owned.is_leaving(each)}
        assert leaving == self.leaving
        assert len(self.owned) == len(self.served) + len(self.leaving)


TestOwnedBundles = OwnedBundlesModel.TestCase
TestOwnedBundles.settings = settings(deadline=None)


def test_a_bundle_that_is_left_while_it_is_split_leaves_its_parts() -> None:
    owned = OwnedBundles()
    owned.begin_session(1)
    owned.taken(BUNDLES[0], 1)
    owned.begin_leave(BUNDLES[0])
    owned.left(BUNDLES[0])  # its node was replaced by those of the parts just before
    parts = Bundle("t/n", 0, 4), Bundle("t/n", 4, 8)
    owned.split(BUNDLES[0], parts)
    assert owned.bundles == list(parts)


def test_after_the_session_nothing_is_served_until_the_next() -> None:
    owned = OwnedBundles()
    owned.begin_session(1)
    owned.taken(BUNDLES[0], 1)
    assert owned.session_ended(1) == [BUNDLES[0]]
    assert not owned.serves(BUNDLES[0])
    assert not owned.taken(BUNDLES[0], 1)
    owned.stay(BUNDLES[0])
    owned.left(BUNDLES[0])
    assert owned.bundles == []
