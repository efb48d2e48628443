"""Where a ledger's metadata stands: the hierarchical layout of BookKeeper.

Ids below 2^31 - 1 have ten digits, split 2/4/4; larger ones have nineteen, split 3/4/4/4/4.
"""

LEDGERS_ROOT = "/ledgers"
SHORT_ID_LIMIT = 2**31 - 1

_SHORT_SPLIT = (2, 4, 4)
_LONG_SPLIT = (3, 4, 4, 4, 4)


def ledger_path(ledger_id: int, root: str = LEDGERS_ROOT) -> str:
    """The path of a ledger's node, as `/ledgers/00/0000/L0000`."""
    assert 0 <= ledger_id < 2**63, f"{ledger_id} is no ledger id"
    if ledger_id < SHORT_ID_LIMIT:
        *parents, leaf = _split(f"{ledger_id:010d}", _SHORT_SPLIT)
    else:
        *parents, leaf = _split(f"{ledger_id:019d}", _LONG_SPLIT)
    return "/".join([root, *parents, "L" + leaf])


def parents_of_ledger(ledger_id: int, root: str = LEDGERS_ROOT) -> list[str]:
    """The nodes above a ledger's that exist only for ledgers, deepest first."""
    path = ledger_path(ledger_id, root).rpartition("/")[0]
    parents = []
    while path != root:
        parents.append(path)
        path = path.rpartition("/")[0]
    return parents


def ledger_id_of(digits: str) -> int | None:
    """The id that the digits of a whole path make up, or None if they are not a ledger's."""
    if not (digits.isascii() and digits.isdigit()) or len(digits) not in (10, 19):
        return None
    ledger_id = int(digits)
    short = len(digits) == 10
    return ledger_id if short == (ledger_id < SHORT_ID_LIMIT) else None


def _split(digits: str, lengths: tuple[int, ...]) -> list[str]:
    parts, start = [], 0
    for length in lengths:
        parts.append(digits[start : start + length])
        start += length
    return parts
