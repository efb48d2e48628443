"""Libraries that only some features need, and that are imported when one of those is used."""

import importlib
from typing import Any


class MissingExtraError(ImportError):
    """A feature needs a library that is not installed; the message says how to get it."""


def load(module: str, extra: str) -> Any:
    """Import a library.

    Args:
        module: the module to import.
        extra: what needs it, which is the name of the extra that brings it.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        library = module.partition(".")[0]
        raise MissingExtraError(
            f"{extra} needs the library {library}: pip install {library}", name=library
        ) from error
