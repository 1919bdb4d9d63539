"""Tokens of a connection that nothing uses: renewed before they end, once, and told when they ended all the same."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub.clock import utcnow
from hub.credentials import TokenStore
from hub.db import Database
from hub.notices import standing_notices
from hub.policy import Policy
from providers import accounts
from providers.contract import CallFailed, Outcome
from tests.contract.subjects import Sandbox, Subject
from tests.contract.test_tagplus import CONNECTION, NO_QUOTA, tagplus

__all__ = ["tagplus"]


class TestIdleConsents:
    def _aged(self, days: float) -> dict[str, Any]:
        """A pair that was got so many days ago and lived a day."""
        return {"lifetime_s": 86400, "expires_at": (utcnow() - timedelta(days=days - 1)).isoformat()}

    @pytest.mark.parametrize(("days", "is_due"), [(6.9, False), (7.1, True), (13.0, True)])
    async def test_a_pair_a_week_old_is_renewed_once(self, tagplus: Subject, days: float, is_due: bool) -> None:
        connection = await tagplus.connection(Policy.model_validate(NO_QUOTA), {}, self._aged(days))
        renewed = [await accounts.keep_alive(tagplus.db, connection) for _ in range(3)]
        assert renewed == [is_due, False, False]
        assert tagplus.sandbox.ask("GET", "/calls/summary")["refreshes"] == int(is_due)
        tokens = await TokenStore(tagplus.db, CONNECTION).load()
        assert (tokens.expires_at or datetime.min.replace(tzinfo=UTC)) > utcnow() or not is_due
        async with tagplus.opened(access_token=tokens.access, refresh_token=tokens.refresh) as provider:
            assert (await provider.check()).name

    async def test_a_pair_of_no_known_age_is_renewed(self, tagplus: Subject) -> None:
        connection = await tagplus.connection(Policy.model_validate(NO_QUOTA), {}, {"lifetime_s": 0})
        assert await accounts.keep_alive(tagplus.db, connection)
        assert not await accounts.keep_alive(tagplus.db, connection)

    async def test_one_that_ended_all_the_same_is_told(self, tagplus: Subject) -> None:
        spent = {**self._aged(20), "refresh_token": "spent"}
        connection = await tagplus.connection(Policy.model_validate(NO_QUOTA), {}, spent)
        with pytest.raises(CallFailed) as raised:
            await accounts.keep_alive(tagplus.db, connection)
        assert (raised.value.outcome, raised.value.reason) == (Outcome.REAUTH, "token")
        async with tagplus.db.read() as session:
            (notice,) = await standing_notices(session, connection.merchant_id)
        assert notice.code == "connection.token"

    @pytest.mark.parametrize(("hours", "is_due"), [(11.9, False), (12.1, True), (20.0, True)])
    async def test_a_pair_of_tiny_v3_is_renewed_after_half_a_day(
        self, hub_db: Database, sandbox: Sandbox, hours: float, is_due: bool
    ) -> None:
        """Its refresh token lives a day (`reference/tiny.md §4.1`)."""
        subject = Subject("tiny_v3", hub_db, sandbox)
        aged = {"lifetime_s": 14_400, "expires_at": (utcnow() - timedelta(hours=hours - 4)).isoformat()}
        connection = await subject.connection(Policy.model_validate(NO_QUOTA), {}, aged)
        assert [await accounts.keep_alive(hub_db, connection) for _ in range(3)] == [is_due, False, False]
        assert sandbox.ask("GET", "/calls/summary")["refreshes"] == int(is_due)

    async def test_where_an_idle_pair_is_left_alone_nothing_is_asked(self, hub_db: Database, sandbox: Sandbox) -> None:
        for kind in ("tiny_v2", "contaazul"):
            subject = Subject(kind, hub_db, sandbox)
            connection = await subject.connection(Policy.model_validate(NO_QUOTA), {}, self._aged(30))
            assert not await accounts.keep_alive(hub_db, connection)
        assert sandbox.ask("GET", "/calls/summary")["refreshes"] == 0
