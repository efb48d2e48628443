"""Bars for people, lines for pipes, and figures at the end in three forms."""

import io
import json

from magnetar_cli.progress import Progress, report


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_pipe_gets_a_clean_line_now_and_then() -> None:
    stream = io.StringIO()
    progress = Progress(stream, 0, 100)
    for second in range(1, 11):
        progress.show(second * 2000, second)
    progress.end()
    assert stream.getvalue() == "20,000 messages, 2,000/s, 10 s\n"


def test_a_terminal_gets_a_bar_in_one_line() -> None:
    stream = Terminal()
    progress = Progress(stream, 0, 100)
    progress.show(1, 0.1)  # too soon
    progress.show(50, 1)
    assert stream.getvalue().startswith("\r" + "█" * 15 + "░" * 15 + "  50 %  50 messages")
    progress.end()
    assert stream.getvalue().endswith("\r\033[K")
    assert "\n" not in stream.getvalue()


def test_without_a_total_there_is_no_bar() -> None:
    stream = Terminal()
    Progress(stream, 0).show(7, 1)
    assert stream.getvalue() == "\r7 messages, 7/s, 1 s\033[K"


def test_figures_have_three_forms() -> None:
    figures = {"messages": 12345, "p50_ms": 0.5, "messages_per_s": 2000.4}
    assert json.loads(report(figures, as_json=True, terminal=True)) == figures
    assert report(figures, as_json=False, terminal=False).splitlines()[0] == "messages 12345"
    table = report(figures, as_json=False, terminal=True).splitlines()
    assert [line.split()[-1] for line in table] == ["12,345", "0.500", "2,000"]
    assert len({len(line) for line in table}) == 1
