"""One Prefect server for all tests of this folder: it takes several seconds to start, so nobody else waits for it."""

from collections.abc import AsyncIterator, Iterator

import pytest
from prefect.client.orchestration import PrefectClient, get_client


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[str]:
    """A running Prefect server on an empty database; flows called in a test find it. Gives the API's address."""
    from prefect.logging.handlers import APILogWorker
    from prefect.settings import PREFECT_API_URL
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=120):
        yield str(PREFECT_API_URL.value())
        # Left to themselves they send their last lines when the server and pytest's streams are gone.
        APILogWorker.drain_all(timeout=10, at_exit=False)


@pytest.fixture
async def prefect_client(prefect_server: str) -> AsyncIterator[PrefectClient]:
    """A client of the test server."""
    async with get_client() as client:
        yield client
