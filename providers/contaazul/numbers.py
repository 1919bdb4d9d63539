"""Numbers for sales: asked for once, then counted on in this process (`reference/contaazul.md §6.2`)."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field


@dataclass
class Numbers:
    """A series shared with people at the screens and with other processes: a number drawn is a guess, and may be taken.

    `ask` tells the next number over there. It is nobody's reservation, and it goes back when the newest sales are
    deleted; ours only goes up, so that two sales of this process never try the same one.
    """

    ask: Callable[[], Awaitable[int]]
    _next: int = 0
    _told: int = 0
    _unused: set[int] = field(default_factory=set)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def draw(self, taken: int | None = None) -> int:
        """A number that this process has not tried yet; `taken` is one that turned out to be somebody else's.

        Then the series is asked anew, but once only for all of the numbers that were drawn before the answer.
        """
        async with self._turn:
            if not self._next or (taken is not None and taken >= self._told):
                self._told = await self.ask()
                self._next = max(self._next, self._told)
            drawn = self._next
            self._next += 1
            self._unused.add(drawn)
            return drawn

    def use(self, number: int) -> bool:
        """Whether the number was drawn here and is used for the first time: nothing of ours can hold it yet."""
        if number in self._unused:
            self._unused.discard(number)
            return True
        return False
