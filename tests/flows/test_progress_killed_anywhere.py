"""kill -9 at every HTTP call and every commit while orders move on: the end is the same, and no buyer is told twice."""

from collections import Counter
from collections.abc import Awaitable, Callable

import pytest

from hub.db import Database
from hub.notices import standing_notices
from hub.tables import Mail
from tests.contract.subjects import Sandbox
from tests.flows.driving import POINTS, Driver, begin_anew, driver, driving
from tests.flows.erp import MERCHANT
from tests.flows.postman import Postman, postman
from tests.flows.trade import LINES, Trade
from tests.hub.shop import rows

__all__ = ["driver", "driving", "postman"]

pytestmark = pytest.mark.usefixtures("at_once")

NUMBERS = ("1001", "1002")
TRACKING = {"codigo": "BR123456789BR", "url": "https://rastreio.example/BR123456789BR"}


async def test_what_the_erp_tells_is_taken_once(
    sandbox: Sandbox, db: Database, driver: Driver, postman: Postman
) -> None:
    async def prepare() -> Trade:
        erp = await _sold(db, sandbox)
        erp.edit((await erp.bound("1001")).external_id, situacao="enviado", tracking=TRACKING)
        erp.edit((await erp.bound("1002")).external_id, situacao="cancelado")
        postman.taken.clear()
        return erp

    async def is_right(erp: Trade) -> None:
        shipped, cancelled = [await erp.known(number) for number in NUMBERS]
        assert (shipped.stage, cancelled.state) == ("shipped", "cancelled")
        assert [(parcel.tracking_code, parcel.state) for parcel in await erp.parcels()] == [
            ("BR123456789BR", "shipped")
        ]
        async with db.read() as session:
            told = [notice.code for notice in await standing_notices(session, MERCHANT)]
        assert told == ["order.cancelled_by_erp_paid"]
        (mail,) = await rows(db, Mail)
        arrived = Counter(str(message["Subject"]) for message in postman.taken)
        assert mail.state in ("sent", "sending"), mail.state
        assert len(arrived) == sum(arrived.values()) <= 1, arrived
        assert mail.state != "sent" or sum(arrived.values()) == 1

    await _die_everywhere(prepare, is_right, "track-orders", driver, db)


async def test_what_the_store_tells_arrives(sandbox: Sandbox, db: Database, driver: Driver) -> None:
    async def prepare() -> Trade:
        erp = await _sold(db, sandbox)
        await erp.tell("1001", "shipped")
        await erp.cancel("1002")
        return erp

    async def is_right(erp: Trade) -> None:
        there = {str(order["id"]): order["situacao"] for order in erp.there()}
        bound = [await erp.bound(number) for number in NUMBERS]
        assert [there[one.external_id] for one in bound] == ["enviado", "cancelado"]
        assert [one.told for one in bound] == ["shipped", "cancelled"]
        assert set(await erp.waiting()) == {"sent"}
        assert await erp.told() == []

    await _die_everywhere(prepare, is_right, "export-orders", driver, db)


async def _die_everywhere(
    prepare: Callable[[], Awaitable[Trade]],
    is_right: Callable[[Trade], Awaitable[None]],
    job: str,
    driver: Driver,
    db: Database,
) -> None:
    erp = await prepare()
    undisturbed = driver.run(job, erp.id)
    assert undisturbed.outcome == "done"
    await is_right(erp)
    deaths = 0
    for point in POINTS:
        for index in range(1, undisturbed.passed[point] + 1):
            await begin_anew(db)
            erp = await prepare()
            deaths += driver.run(job, erp.id, point, index).outcome == "killed"
            assert driver.run(job, erp.id).outcome == "done", f"rerun after a death {point} {index}"
            try:
                await is_right(erp)
            except AssertionError as wrong:
                raise AssertionError(f"killed {point} {index}: {wrong}") from wrong
    assert deaths >= 0.9 * sum(undisturbed.passed.values())


async def _sold(db: Database, sandbox: Sandbox) -> Trade:
    """Two paid orders that Tiny has."""
    sandbox.ask("POST", "/reset", catalog="empty")
    sandbox.account(plan="unlimited")
    erp = await Trade.open(db, sandbox, "tiny_v2", mail_shipped=True)
    for number in NUMBERS:
        await erp.order(number, LINES)
    await erp.export()
    return erp
