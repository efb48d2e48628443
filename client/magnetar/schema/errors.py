"""The errors of schemas.

ValueError
    SchemaError     bytes that a schema cannot read, a value or a class that it cannot write

A value of the wrong Python type is a TypeError, as in the official client.
"""


class SchemaError(ValueError):
    """Bytes that a schema cannot read, or a value or class that it cannot write."""
