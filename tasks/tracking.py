"""A batch of work, seen in Prefect when there is a flow run to see it in."""

import contextlib
import functools
from collections.abc import Awaitable, Callable, Iterator
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import FlowRunContext
from prefect.tasks import exponential_backoff

from providers.contract import CallFailed, Outcome

P = ParamSpec("P")
R = TypeVar("R")
Batch = Callable[P, Awaitable[R]]


_UNTRACKED: ContextVar[bool] = ContextVar("untracked", default=False)


@contextlib.contextmanager
def untracked() -> Iterator[None]:
    """No task runs within: the batches of a drain are one record often, and a task run costs the server 15 to 60 ms."""
    token = _UNTRACKED.set(True)
    try:
        yield
    finally:
        _UNTRACKED.reset(token)


def tracked(name: str, *, retries: int = 2) -> Callable[[Batch[P, R]], Batch[P, R]]:
    """A Prefect task inside a flow run; the plain function elsewhere (the command line, tests, benchmarks).

    Elsewhere a task would start a hidden server on a database of its own, which takes 20 s and that nobody ever looks
    into. Results are never cached: with the default policy a second task of equal arguments never runs
    (`research/prefect.md` §5); what has been done is known by our bindings and cursors.
    """

    def decorate(function: Batch[P, R]) -> Batch[P, R]:
        observed = task(
            name=name,
            retries=retries,
            retry_delay_seconds=exponential_backoff(backoff_factor=10),
            retry_jitter_factor=0.5,
            retry_condition_fn=_passing,
            cache_policy=NO_CACHE,
            persist_result=False,
        )(function)

        @functools.wraps(function)
        async def call(*args: P.args, **kwargs: P.kwargs) -> R:
            if FlowRunContext.get() is None or _UNTRACKED.get():
                return await function(*args, **kwargs)
            return await observed(*args, **kwargs)  # type: ignore[misc,no-any-return]

        return call

    return decorate


async def _passing(_task: Any, _run: TaskRun, state: State[Any]) -> bool:
    """Whether the batch failed by a fault that passes; a refused token is as refused ten seconds later."""
    error = await state.aresult(raise_on_failure=False)
    return isinstance(error, CallFailed) and error.outcome is Outcome.RETRY
