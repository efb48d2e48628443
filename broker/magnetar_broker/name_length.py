"""Names that clients choose have a length that paths, lists, logs and labels can bear."""

from magnetar_runtime.limits import MAX_NAME_CHARACTERS

from magnetar_broker.errors import BrokerError


def check_name_length(what: str, name: str, error: type[BrokerError]) -> None:
    """Raise `error` if the name of `what` is too long; the name itself is not repeated."""
    if len(name) > MAX_NAME_CHARACTERS:
        raise error(
            f"The name of a {what} has {len(name)} characters: the most is {MAX_NAME_CHARACTERS}"
        )
