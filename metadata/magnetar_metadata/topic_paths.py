"""Names of topics and cursors as parts of a path, encoded as Pulsar does (a Java form encoding)."""

from urllib.parse import quote_plus, unquote_plus


def encode_name(name: str) -> str:
    """Encode a local topic or cursor name: letters, digits and `.-*_` stay, a space becomes `+`."""
    return quote_plus(name, safe="*").replace("~", "%7E")


def decode_name(encoded: str) -> str:
    return unquote_plus(encoded)


def managed_ledger_name(tenant: str, namespace: str, domain: str, topic: str) -> str:
    """A topic's path below `/managed-ledgers`; `topic` is the local name, not encoded."""
    return f"{tenant}/{namespace}/{domain}/{encode_name(topic)}"
