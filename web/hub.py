"""The hub's database as the web app uses it: opened with the first request that needs it, closed at the end."""

from hub.db import Database
from hub.settings import Settings
from hub.start import open_hub


class Hub:
    """The database, opened on first use: `/health` has to answer where there is none."""

    def __init__(self, config: Settings, db: Database | None = None) -> None:
        self._config = config
        self._db = db
        self._ours = db is None

    @property
    def db(self) -> Database:
        """The database, with this process's keys set."""
        if self._db is None:
            self._db = open_hub(self._config)
        return self._db

    async def close(self) -> None:
        """Close what was opened here."""
        if self._db is not None and self._ours:
            await self._db.close()
            self._db = None
