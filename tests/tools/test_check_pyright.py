"""What the check with pyright makes of diagnostics; pyright itself runs with `make pyright`."""

from typing import Any

from tools import check_pyright
from tools.check_pyright import RIGHT, WRONG, mistakes, problems


def at(name: str, line: int) -> dict[str, Any]:
    return {"file": f"/x/{name}", "range": {"start": {"line": line - 1}}, "message": "so"}


def test_the_mistakes_of_the_program_are_found() -> None:
    assert mistakes("a\nb  # mistake\nc\nd  # mistake") == {2, 4}
    assert len(mistakes(check_pyright.program(WRONG))) >= 8
    assert not mistakes(check_pyright.program(RIGHT))


def test_each_mistake_and_nothing_else() -> None:
    assert problems([at(WRONG, 2), at(WRONG, 2)], {2}) == []
    assert problems([], {2}) == [f"{WRONG}:2: pyright sees no mistake"]
    assert problems([at(WRONG, 3), at(WRONG, 2)], {2}) == [f"{WRONG}:3: this is none"]
    assert problems([at(RIGHT, 7)], set()) == [f"{RIGHT}:7: so"]
