"""The part of the control API that is the same for every vendor (`/_sandbox/…`)."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox.core.clock import from_iso, iso
from sandbox.core.deliveries import Deliveries
from sandbox.core.exchange import World
from sandbox.core.faults import FAULTS
from sandbox.core.scripts import Scripts


class Controlled(World, Protocol):
    """What the control API needs of the running sandbox."""

    scripts: Scripts
    deliveries: Deliveries

    def reset(self, catalog: str | None) -> None:
        """Start over with the settings and catalogue the process began with, or with `catalog`."""

    def clear_calls(self) -> None:
        """Forget the calls."""

    def clear_scripts(self) -> None:
        """Forget the scripts."""

    def settings_changed(self) -> None:
        """Hand changed settings on."""

    def settle(self) -> None:
        """Let happen what the clock made due."""

    def summary(self) -> dict[str, Any]:
        """Return what there is."""


def control_app(world: Controlled, vendor_routes: list[BaseRoute]) -> Starlette:
    """Return the control API as an application; wrong requests are answered 400 or 404 with a reason."""
    routes: list[BaseRoute] = [
        Route("/_sandbox/", _summary(world)),
        Route("/_sandbox", _summary(world)),
        Route("/_sandbox/reset", _reset(world), methods=["POST"]),
        Route("/_sandbox/settings", _settings(world), methods=["GET", "POST"]),
        Route("/_sandbox/clock", _clock(world), methods=["GET", "POST"]),
        Route("/_sandbox/faults", _faults(world), methods=["GET", "POST", "DELETE"]),
        Route("/_sandbox/scripts", _scripts(world), methods=["GET", "POST", "DELETE"]),
        Route("/_sandbox/calls", _calls(world), methods=["GET", "DELETE"]),
        Route("/_sandbox/calls/summary", _calls_summary(world)),
        Route("/_sandbox/deliveries", _deliveries(world), methods=["GET", "DELETE"]),
        Route("/_sandbox/deliveries/flush", _flush(world), methods=["POST"]),
        Route("/_sandbox/deliveries/wait", _wait(world), methods=["POST"]),
        *vendor_routes,
    ]
    return Starlette(
        routes=routes,
        exception_handlers={ValueError: _refused, TypeError: _refused, OSError: _refused, LookupError: _missing},
    )


def answer(body: Any, status: int = 200) -> Response:
    """Return a JSON answer."""
    return Response(orjson.dumps(body, option=orjson.OPT_NON_STR_KEYS), status, media_type="application/json")


async def body_of(request: Request) -> dict[str, Any]:
    """Return the JSON object of a request (empty body = empty object); ValueError for anything else."""
    raw = await request.body()
    if not raw:
        return {}
    body = orjson.loads(raw)
    if not isinstance(body, dict):
        raise ValueError(f"the body is a JSON object, got {type(body).__name__}")
    return body


Endpoint = Callable[[Request], Awaitable[Response]]


def _summary(world: Controlled) -> Endpoint:
    async def summary(_: Request) -> Response:
        return answer(world.summary())

    return summary


def _reset(world: Controlled) -> Endpoint:
    async def reset(request: Request) -> Response:
        catalog = (await body_of(request)).get("catalog")
        if catalog not in (None, "default", "empty"):
            raise ValueError(f"catalog is default or empty, got {catalog!r}")
        world.reset(catalog)
        return answer(world.summary())

    return reset


def _settings(world: Controlled) -> Endpoint:
    async def settings(request: Request) -> Response:
        if request.method == "POST":
            body = await body_of(request)
            rate = body.pop("clock_rate", world.clock.rate)
            if isinstance(rate, bool) or not isinstance(rate, int | float) or rate < 0:
                raise ValueError(f"clock_rate is a number not below 0, got {rate!r}")
            now = body.pop("now", None)
            start = None if now is None else from_iso(str(now))
            world.settings.merge(body)
            if rate != world.clock.rate:
                world.clock.set_rate(rate)
            if start is not None:
                world.clock.set_now(start)
            world.settings_changed()
            world.settle()
        body = world.settings.as_dict()
        return answer({**body, "clock_rate": world.clock.rate, "now": iso(world.clock.now())})

    return settings


def _clock(world: Controlled) -> Endpoint:
    async def clock(request: Request) -> Response:
        if request.method == "POST":
            seconds = (await body_of(request)).get("advance_s")
            if isinstance(seconds, bool) or not isinstance(seconds, int | float):
                raise ValueError(f"advance_s is a number of seconds, got {seconds!r}")
            world.clock.advance(seconds)
            world.settle()
        return answer({"now": iso(world.clock.now()), "rate": world.clock.rate})

    return clock


def _faults(world: Controlled) -> Endpoint:
    async def faults(request: Request) -> Response:
        if request.method == "POST":
            return answer(world.faults.plant(await body_of(request)).as_dict(), 201)
        if request.method == "DELETE":
            world.faults.planted.clear()
        return answer({"faults": [f.as_dict() for f in world.faults.planted], "kinds": FAULTS})

    return faults


def _scripts(world: Controlled) -> Endpoint:
    async def scripts(request: Request) -> Response:
        if request.method == "POST":
            return answer(world.scripts.add(await body_of(request)).as_dict(), 201)
        if request.method == "DELETE":
            world.clear_scripts()
        return answer({"scripts": [s.as_dict() for s in world.scripts.all]})

    return scripts


def _calls(world: Controlled) -> Endpoint:
    async def calls(request: Request) -> Response:
        if request.method == "DELETE":
            world.clear_calls()
        query = request.query_params
        return answer(world.log.select(query.get("account"), query.get("operation"), int(query.get("since", "0"))))

    return calls


def _calls_summary(world: Controlled) -> Endpoint:
    async def summary(_: Request) -> Response:
        return answer(world.log.summary())

    return summary


def _deliveries(world: Controlled) -> Endpoint:
    async def deliveries(request: Request) -> Response:
        if request.method == "DELETE":
            world.deliveries.forget()
        query = request.query_params
        rows = world.deliveries.select(query.get("vendor"), query.get("account"), query.get("event"))
        return answer({"deliveries": rows, "totals": world.deliveries.totals()})

    return deliveries


def _flush(world: Controlled) -> Endpoint:
    async def flush(request: Request) -> Response:
        body = await body_of(request)
        unknown = set(body) - {"shuffle_seed", "copies", "reverse"}
        if unknown:
            raise ValueError(f"a flush has shuffle_seed, copies, reverse; got {', '.join(sorted(unknown))}")
        seed, copies = body.get("shuffle_seed"), body.get("copies", 1)
        if not isinstance(copies, int) or copies < 1:
            raise ValueError(f"copies is a whole number from 1, got {copies!r}")
        if seed is not None and not isinstance(seed, int):
            raise ValueError(f"shuffle_seed is a whole number, got {seed!r}")
        return answer(
            await world.deliveries.flush(shuffle_seed=seed, copies=copies, reverse=bool(body.get("reverse", False)))
        )

    return flush


def _wait(world: Controlled) -> Endpoint:
    async def wait(request: Request) -> Response:
        seconds = (await body_of(request)).get("seconds", 5)
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds < 0:
            raise ValueError(f"seconds is a number not below 0, got {seconds!r}")
        idle = await world.deliveries.wait(seconds)
        return answer({"idle": idle, "totals": world.deliveries.totals()})

    return wait


async def _refused(_: Request, problem: Exception) -> Response:
    return answer({"error": str(problem)}, 400)


async def _missing(_: Request, problem: Exception) -> Response:
    return answer({"error": str(problem.args[0] if problem.args else problem)}, 404)
