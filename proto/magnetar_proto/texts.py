"""Texts of messages, whose producers may have put in what is none."""


def clean_text(value: str | bytes) -> str:
    """A `string` field as text; what is no UTF-8 is shown as U+FFFD, as in Java.

    proto2 does not check these fields, and Python's protobuf gives `bytes` where one is no UTF-8.
    Types say `str` all the same.
    """
    return value if isinstance(value, str) else value.decode("utf-8", "replace")
