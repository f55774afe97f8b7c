"""A time limit that costs a fifth of `asyncio.timeout`: one timer serves all that is under way."""

import asyncio
from types import TracebackType


class TimeLimit:
    """Ends what takes longer than `seconds`, as `asyncio.timeout` would. For one event loop."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        #: In the order in which they end, since all may take equally long.
        self._under_way: dict[Limited, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> "Limited":
        """Return a context manager whose body raises `TimeoutError` when it takes too long."""
        return Limited(self)

    def close(self) -> None:
        """Forget the timer, and so what is under way. May be called twice."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def enter(self, limited: "Limited") -> float:
        """Watch over it; return when it ends."""
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + self._seconds
        self._under_way[limited] = None
        if self._timer is None:
            self._timer = loop.call_at(ends_at, self._look)
        return ends_at

    def leave(self, limited: "Limited") -> None:
        """Watch over it no longer."""
        self._under_way.pop(limited, None)

    def _look(self) -> None:
        """End what is late, and come back when the next one would be."""
        loop = asyncio.get_running_loop()
        self._timer = None
        while self._under_way:
            first = next(iter(self._under_way))
            if first.ends_at > loop.time():
                self._timer = loop.call_at(first.ends_at, self._look)
                return
            del self._under_way[first]
            first.end()


class Limited:
    """One task's time in a `TimeLimit`."""

    __slots__ = ("_before", "_is_late", "_limit", "_task", "ends_at")

    def __init__(self, limit: TimeLimit) -> None:
        self._limit = limit
        self._is_late = False

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task, self._before = task, task.cancelling()
        self.ends_at = self._limit.enter(self)

    def end(self) -> None:
        """Cancel the task; what comes of it inside is turned into a `TimeoutError`."""
        self._is_late = True
        self._task.cancel()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._is_late:
            self._limit.leave(self)
        # Someone else's wish to cancel goes first, as in `asyncio.timeout`.
        elif self._task.uncancel() <= self._before and kind is asyncio.CancelledError:
            raise TimeoutError from error
