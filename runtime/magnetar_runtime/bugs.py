"""What only a bug can cause, met by work that must not take other work along."""

import asyncio


def report_bug(what: str, error: Exception) -> None:
    """Tell the running loop, which logs the error with its traceback.

    A simulation ends there: a bug that is only logged would hide behind all that goes on.

    Args:
        what: did not work, and what becomes of it, for the log.
    """
    context = {"message": what, "exception": error}
    asyncio.get_running_loop().call_exception_handler(context)
