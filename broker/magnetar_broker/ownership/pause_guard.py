"""Notices that this process did not run for so long that its session may have ended.

Scenario: the process is stopped (SIGSTOP, a frozen machine, a loop that is stuck) until its session
has ended and another broker has its topics. When it goes on, the loop may come to a consumer's
permits before the news of the session: it would deliver messages that are not its own any more.
"""


class PauseGuard:
    """Asked before anything leaves. Times are of the monotonic clock, which a pause does not stop.

    A store that is away is no pause: then established clients are served on.

    Args:
        longest_pause_ms: after a longer one the session has to be looked at. The server may not
            have heard of us for a third of the session's time-out when a pause begins, so two
            thirds are too much already.
    """

    def __init__(self, longest_pause_ms: int) -> None:
        self._longest_ns = longest_pause_ms * 1_000_000
        self._beat_ns: int | None = None
        self._doubtful = False
        self.pauses = 0

    @property
    def doubtful(self) -> bool:
        """Nothing may leave until somebody has looked at the session."""
        return self._doubtful

    def beat(self, now_ns: int) -> bool:
        """The process runs now; whether something may leave."""
        if self._beat_ns is not None and now_ns - self._beat_ns > self._longest_ns:
            if not self._doubtful:
                self.pauses += 1
            self._doubtful = True
        self._beat_ns = now_ns
        return not self._doubtful

    def settle(self) -> None:
        """The session lives, or all that belonged to it is given up."""
        self._doubtful = False
