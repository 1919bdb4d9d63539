"""Whether the web app lives (`/health`) and whether it can do its work (`/ready`)."""

import asyncio

from fastapi import APIRouter, Response, status
from pydantic import BaseModel
from sqlalchemy.engine import make_url

from hub.migrate import is_current
from hub.version import installed_version

ANSWER_S = 5.0
"""How long the database may take to answer."""


class Health(BaseModel):
    """The process is up."""

    status: str = "ok"
    version: str


class Readiness(BaseModel):
    """Whether work can be done, and if not, why: one sentence a fault, for ops."""

    ready: bool
    reasons: list[str]


def health_routes(database_url: str) -> APIRouter:
    """`/health` and `/ready` for the hub's database at this address."""
    routes = APIRouter(tags=["health"])

    @routes.get("/health")
    async def health() -> Health:
        """Answers as long as the process lives; asks nothing of the database."""
        return Health(version=installed_version())

    @routes.get("/ready", responses={503: {"model": Readiness, "description": "Not ready; `reasons` says why."}})
    async def ready(response: Response) -> Readiness:
        """200 when the database is reachable and at the newest schema, else 503 with the reasons."""
        reasons = await faults(database_url)
        if reasons:
            response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
        return Readiness(ready=not reasons, reasons=reasons)

    return routes


async def faults(database_url: str) -> list[str]:
    """What keeps the hub's database from being used, in words; empty when nothing does."""
    # Without the password, and without the driver's text, which may repeat it.
    shown = make_url(database_url).render_as_string(hide_password=True)
    try:
        async with asyncio.timeout(ANSWER_S):
            current = await is_current(database_url)
    except Exception as error:  # noqa: BLE001 whatever keeps the database away is an answer here, not a fault of ours
        return [f"the database {shown} does not answer ({type(error).__name__}): check ESTEIRA_DATABASE_URL"]
    if not current:
        return [f"the database {shown} is not at the newest schema: `esteira up` brings it there"]
    return []
