"""The tree of errors is the one that is written down."""

import inspect

from magnetar_storage import errors


def test_every_error_is_in_the_tree_and_in_its_description() -> None:
    for name, kind in inspect.getmembers(errors, inspect.isclass):
        assert issubclass(kind, errors.StorageError)
        assert errors.__doc__ is not None
        assert name in errors.__doc__
