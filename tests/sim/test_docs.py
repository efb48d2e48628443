"""The example of docs/simulation.md does what it says."""

import re
from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"


def test_the_example_runs() -> None:
    [example] = re.findall(r"```python\n(.*?)```", (DOCS / "simulation.md").read_text(), re.DOTALL)
    exec(compile(example, "docs/simulation.md", "exec"), {"__name__": "example"})
