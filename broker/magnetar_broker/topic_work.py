"""The work of one topic beside what its clients ask: where it runs, and what a bug in it costs."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any

from magnetar_runtime.bugs import report_bug

if TYPE_CHECKING:
    from magnetar_broker.topic import Topic


class TopicWork:
    """Begins tasks in the broker's scope as parts of a topic.

    What fails in that scope ends all work of the broker. Begun here it ends its topic, which is
    closed: clients come again, and it is read anew from its cursors.
    """

    def __init__(self, topic: Topic) -> None:
        self._topic = topic

    def spawn(self, coroutine: Coroutine[Any, Any, Any], *, name: str) -> asyncio.Task[Any]:
        """Begin a task; its failure is the topic's failure."""
        failed = partial(self._failed, name)
        return self._topic.service.scope.spawn(coroutine, name=name, on_error=failed)

    def _failed(self, name: str, error: Exception) -> None:
        topic = self._topic
        report_bug(f"{name} failed: topic {topic.name} begins anew", error)
        topic.give_up()
