"""The web app: uvicorn runs `web.app:create_app`."""

import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, RedirectResponse

from hub.db import Database
from hub.settings import Settings, settings
from hub.version import installed_version
from web.api import DESCRIPTION, problems, store_api
from web.api.gate import Rates
from web.docs_page import docs_page
from web.health import health_routes
from web.hooks import hook_door
from web.hub import Hub
from web.oauth import oauth_routes


def create_app(config: Settings | None = None, db: Database | None = None) -> FastAPI:
    """Build the app, from the process's settings and on a database of its own unless others are given."""
    config = config or settings()
    hub = Hub(config, db)
    hooks = hook_door(config, hub)

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await hooks.close()
        await hub.close()

    app = FastAPI(
        title="Esteira",
        version=installed_version(),
        summary="The hub that keeps a shop and its ERP in step.",
        # FastAPI's own pages load their scripts from a CDN: blank without a network, and a stranger's code with one.
        docs_url=None,
        redoc_url=None,
        description=DESCRIPTION,
        lifespan=lifespan,
    )
    app.state.hub, app.state.rates, app.state.hooks = hub, Rates(), hooks
    problems.install(app)
    app.include_router(health_routes(config.database))
    app.include_router(store_api())
    app.include_router(oauth_routes(config))
    app.router.routes.append(hooks.route)

    @app.get("/", include_in_schema=False)
    async def home() -> RedirectResponse:
        return RedirectResponse("/docs")

    @app.get("/docs", response_class=HTMLResponse, include_in_schema=False)
    async def docs() -> str:
        return docs_page(app.openapi())

    return app
