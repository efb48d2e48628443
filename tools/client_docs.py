"""Writes docs/client.md, the reference of the Python SDK, from the docstrings of what is public.

    python tools/client_docs.py [--check]

With --check it writes nothing and ends with 1 if the page is not what it would write.
"""

import importlib
import inspect
import sys
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parent.parent / "docs" / "client.md"
MODULES = (
    "magnetar",
    "magnetar.sync",
    "magnetar.schema",
    "magnetar.testing",
    "magnetar.testing.pytest_plugin",
)
OPTIONS = {
    "ProducerOptions": "magnetar.producer_options",
    "ConsumerOptions": "magnetar.consumer_options",
}
HEAD = """# The Python SDK: reference

Made from the docstrings by `tools/client_docs.py`; `make lint` says when it is not current. How to
begin stands in the [README](../README.md), whole programs in [examples/](../examples/).
"""


def page() -> str:
    """The whole page."""
    return HEAD + "".join(part for name in MODULES for part in module_parts(name))


def module_parts(name: str) -> Iterator[str]:
    """One module: its docstring, then what it exports."""
    module = importlib.import_module(name)
    yield f"\n## `{name}`\n\n{text_of(module)}\n"
    for key, value in sorted(public_of(module).items(), key=lambda item: item[0].lower()):
        yield from object_parts(key, value)
    if name == "magnetar":
        for key, place in OPTIONS.items():
            yield from object_parts(key, getattr(importlib.import_module(place), key))


def public_of(module: Any) -> dict[str, Any]:
    """What a module offers: its `__all__`, else its fixtures, else what it imports from its own."""
    if hasattr(module, "__all__"):
        return {name: getattr(module, name) for name in module.__all__}
    own = module.__name__
    fixtures = {
        name: value for name, value in vars(module).items() if "Fixture" in type(value).__name__
    }
    return fixtures or {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_")
        and callable(value)
        and getattr(value, "__module__", "").startswith(own)
    }


def object_parts(name: str, value: Any) -> Iterator[str]:
    """One class, function or fixture."""
    wrapped = inspect.unwrap(getattr(value, "__wrapped__", value))
    if not inspect.isclass(value):
        yield f"\n### `{name}`\n\n{text_of(wrapped)}\n"
        return
    if issubclass(value, Enum):
        yield f"\n### `{name}`\n\n{text_of(value)}\n"
        members = ", ".join(f"`{each.name}` {each.value!r}" for each in value)
        yield f"\n{members}\n"
        return
    head, _, rest = text_of(value).partition("\n\n")
    yield f"\n### `{name}{signature_of(value)}`\n\n{head}\n"
    if rest:
        yield f"\n{code(rest)}\n"
    init = vars(value).get("__init__")
    if init is not None and init.__doc__:
        yield f"\n{code(text_of(init))}\n"
    for key, member in vars(value).items():
        yield from member_parts(name, key, member)


def member_parts(owner: str, name: str, member: Any) -> Iterator[str]:
    """One method or property."""
    if name.startswith("_"):
        return
    if isinstance(member, property):
        yield f"\n- **`{name}`** {first_paragraph(text_of(member))}\n"
        return
    function = getattr(member, "__func__", member)
    if not inspect.isfunction(function) or not function.__doc__:
        return
    kind = "await " if inspect.iscoroutinefunction(function) else ""
    head, _, rest = text_of(function).partition("\n\n")
    yield f"\n- **`{kind}{name}{signature_of(function)}`** {' '.join(head.split())}\n"
    if rest:
        yield "\n" + indented(code(rest)) + "\n"


def signature_of(value: Callable[..., Any]) -> str:
    """Names and defaults of the arguments; types are for editors."""
    if inspect.isclass(value) and issubclass(value, Exception):
        return ""
    try:
        parameters = list(inspect.signature(value).parameters.values())
    except (TypeError, ValueError):
        return ""
    plain = [
        each.replace(annotation=inspect.Parameter.empty)
        for each in parameters
        if each.name not in ("self", "cls")
    ]
    return str(inspect.Signature(plain))


def text_of(value: Any) -> str:
    text = inspect.getdoc(value)
    assert text, f"{value!r} is public and has no docstring"
    return text


def first_paragraph(text: str) -> str:
    return " ".join(text.partition("\n\n")[0].split())


def code(text: str) -> str:
    return f"```text\n{text}\n```"


def indented(text: str) -> str:
    return "\n".join(f"  {line}" if line else "" for line in text.splitlines())


def main(arguments: list[str]) -> int:
    wanted = page()
    if "--check" in arguments:
        current = PAGE.exists() and PAGE.read_text() == wanted
        print("docs/client.md:", "current" if current else "not current; tools/client_docs.py")
        return 0 if current else 1
    PAGE.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
