"""One-shot scripts: what the merchant does at the very moment a certain call arrives or is answered."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

from sandbox.core.triggers import Trigger

#: Does one step ({"op": …}) for the account of the call; ValueError when the step makes no sense.
Edit = Callable[[Mapping[str, Any], str | None], None]


@dataclass(slots=True)
class Script:
    """Steps to do once, before or after the call that fits."""

    id: int
    trigger: Trigger
    when: str
    steps: list[Mapping[str, Any]]
    ran_at_call: int | None = None
    error: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the script, the call it ran at (None = waiting) and the error that stopped it, if any."""
        return {
            "id": self.id,
            "match": self.trigger.as_dict(),
            "when": self.when,
            "do": self.steps,
            "ran_at_call": self.ran_at_call,
            "error": self.error,
        }


class Scripts:
    """The scripts of a run."""

    def __init__(self, ops: tuple[str, ...]) -> None:
        self.all: list[Script] = []
        self._ops = ops
        self._ids = count(1)
        self._waiting: list[Script] = []

    def add(self, body: Mapping[str, Any]) -> Script:
        """Add a script from the control API's body; ValueError says what is wrong with it."""
        wrong = [key for key in body if key not in ("match", "when", "do")]
        if wrong:
            raise ValueError(f"a script has match, when, do; got {', '.join(wrong)}")
        when, steps = body.get("when", "before"), body.get("do")
        if when not in ("before", "after"):
            raise ValueError(f"when is before or after; got {when!r}")
        if not isinstance(steps, list) or not steps:
            raise ValueError("do is a list of at least one step")
        for step in steps:
            if not isinstance(step, dict) or step.get("op") not in self._ops:
                raise ValueError(f"a step is an object whose op is one of {', '.join(self._ops)}; got {step!r}")
        script = Script(next(self._ids), Trigger(body.get("match")), when, steps)
        self.all.append(script)
        self._waiting.append(script)
        return script

    def claim(self, account: str | None, operation: str, concrete: str, index: int) -> list[Script]:
        """Return the waiting scripts this call sets off; each is given out once."""
        if not self._waiting:
            return []
        claimed = [s for s in self._waiting if s.trigger.fires(account, operation, concrete, index)]
        for script in claimed:
            self._waiting.remove(script)
            script.ran_at_call = index
        return claimed


def play(scripts: list[Script], when: str, account: str | None, edit: Edit) -> None:
    """Do the steps of those `scripts` meant for `when`; a step that fails is noted in its script."""
    for script in scripts:
        if script.when != when:
            continue
        try:
            for step in script.steps:
                edit(step, account)
        except (ValueError, LookupError) as problem:
            script.error = str(problem)
