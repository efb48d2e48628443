"""88 commands of the real pulsar-admin here, beside what they came to on Apache Pulsar.

What Apache said is kept in `admin_session/apache.txt`; `admin_session/play.py` records it again.
Exit codes are the same for all but those commands whose reason says otherwise.
"""

import re
from pathlib import Path

import pytest

from bench.servers import Magnetar
from tests.interop.admin_session.play import RECORDED, commands, play, written

pytestmark = pytest.mark.interop


def _by_place(text: str) -> list[tuple[str, str]]:
    parts = re.split(r"^\$ (.*)\n", text, flags=re.MULTILINE)[1:]
    return list(zip(parts[::2], parts[1::2], strict=True))


def test_the_same_outputs_and_exit_codes(own_magnetar: Magnetar, tmp_path: Path) -> None:
    own_magnetar.start()
    found = _by_place(written(play(own_magnetar, tmp_path)))
    recorded = _by_place(RECORDED.read_text())
    assert len(found) == len(recorded) == len(commands()) >= 80
    wrong = []
    for place, (line, why) in commands().items():
        here, there = found[place], recorded[place]
        assert here[0] == there[0] == line
        if (here == there) == bool(why):
            wrong.append(f"$ {line}\nApache:\n{there[1]}Magnetar:\n{here[1]}{why}")
    assert not wrong, "\n".join(wrong)
