"""Everything the bench gives up for.

BenchError
    ServerError        a server did not start, ended by itself, or did not stop when asked
    WorkerError        a load process ended without figures
    WireError          a server answered something else than expected
    MeasurementError   figures that mean nothing, such as messages lost or twice
"""


class BenchError(Exception):
    """Base of all."""


class ServerError(BenchError):
    """A server did not start, ended by itself, or did not stop when asked."""


class WorkerError(BenchError):
    """A load process ended without figures."""


class WireError(BenchError):
    """A server answered something else than expected."""


class MeasurementError(BenchError):
    """The figures mean nothing, for example as messages are missing or came twice."""
