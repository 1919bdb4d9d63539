"""Every fault of the sandbox, met by every kind of provider: the right outcome, and no secret in any text."""

import logging
from typing import Any

import pytest

from hub.clock import utcnow
from hub.policy import Policy
from hub.records import ProductRecord, Refused, StockRecord
from providers.contract import CallFailed, CatalogSource, Feed, Outcome
from tests.contract.subjects import Subject

PASSING = {
    "over_quota": Outcome.SLOW_DOWN,
    "concurrency": Outcome.SLOW_DOWN,
    "maintenance": Outcome.RETRY,
    "unexpected_35": Outcome.RETRY,
    "error_500": Outcome.RETRY,
    "error_503": Outcome.RETRY,
    "html": Outcome.RETRY,
    "stall": Outcome.RETRY,
    "reset": Outcome.RETRY,
    "answer_lost": Outcome.RETRY,
    "cut_json": Outcome.RETRY,
    "cut_connection": Outcome.RETRY,
}
"""Faults that pass, and how a read ends while they do not."""


@pytest.fixture(autouse=True)
def _short_stalls(subject: Subject) -> None:
    subject.sandbox.ask("POST", "/settings", stall_s=1.5)


def test_every_fault_of_the_sandbox_is_looked_at(subject: Subject) -> None:
    kinds = set(subject.sandbox.ask("GET", "/faults")["kinds"])
    assert kinds == {*PASSING, "token_expired", "wrong_type"}


@pytest.mark.parametrize("fault", sorted(PASSING))
async def test_a_passing_fault_is_ridden_out(subject: Subject, fault: str) -> None:
    async with subject.opened() as provider:
        chosen = await a_simple_product(provider)
        undisturbed = await provider.read_product(chosen)
        before = provider.calls
        subject.sandbox.fault(fault)
        assert await provider.read_product(chosen) == undisturbed
        assert provider.calls == before + 2


@pytest.mark.parametrize("fault", sorted(PASSING))
async def test_a_fault_that_stays_ends_in_its_outcome(subject: Subject, fault: str) -> None:
    subject.sandbox.fault(fault, times=None)
    async with subject.opened() as provider:
        with pytest.raises(CallFailed) as raised:
            await provider.list_products(1)
        assert raised.value.outcome is PASSING[fault]
        assert provider.calls == (20 if raised.value.outcome is Outcome.SLOW_DOWN else 5)
    assert_no_secret(subject, str(raised.value))


async def test_faults_of_every_sort_in_a_row_are_ridden_out(subject: Subject) -> None:
    for fault in ("over_quota", "error_500", "concurrency", "html", "over_quota", "cut_json", "reset"):
        subject.sandbox.fault(fault)
    async with subject.opened() as provider:
        assert (await provider.list_products(1)).rows


async def test_an_answer_of_the_wrong_types_breaks_nothing(subject: Subject) -> None:
    async with subject.opened() as provider:
        chosen = await a_simple_product(provider)
        subject.sandbox.fault("wrong_type", times=None)
        for ask in (provider.read_product, provider.read_stock):
            try:
                found = await ask(chosen)
            except CallFailed as failed:
                assert (failed.outcome, failed.reason) == (Outcome.RETRY, "unreadable")
                continue
            for record in found if isinstance(found, tuple) else [found]:
                assert isinstance(record, ProductRecord | StockRecord | Refused)
        try:
            await provider.list_products(1)
        except CallFailed as failed:
            assert (failed.outcome, failed.reason) == (Outcome.RETRY, "unreadable")


async def test_a_wrong_credential_is_told_without_it(subject: Subject, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = "segredo-errado-42"
    async with subject.opened(token=wrong, access_token=wrong, refresh_token=wrong) as provider:
        with pytest.raises(CallFailed) as raised:
            await provider.check()
    assert (raised.value.outcome, raised.value.reason) == (Outcome.REAUTH, "token")
    chain: list[BaseException | None] = [raised.value, raised.value.__cause__, raised.value.__context__]
    assert wrong not in "".join(map(repr, chain)) + caplog.text


async def test_a_missing_credential_is_a_refused_one(subject: Subject) -> None:
    async with subject.opened(token="", access_token="", refresh_token="") as provider:
        with pytest.raises(CallFailed) as raised:
            await provider.check()
    assert (raised.value.outcome, raised.value.reason) == (Outcome.REAUTH, "token")


async def test_a_token_that_ends_in_mid_run(subject: Subject) -> None:
    async with subject.opened() as provider:
        rows = (await provider.list_products(1)).rows
        subject.sandbox.fault("token_expired")
        try:
            again = await provider.list_products(1)
        except CallFailed as failed:
            assert failed.outcome is Outcome.REAUTH
            assert_no_secret(subject, str(failed))
        else:
            assert again.rows == rows
            assert subject.sandbox.ask("GET", "/calls/summary")["refreshes"] == 1


async def test_an_unreachable_host_is_a_passing_fault(subject: Subject) -> None:
    async with subject.opened() as provider:
        provider.http._client.base_url = "http://127.0.0.1:9/"
        with pytest.raises(CallFailed) as raised:
            await provider.list_products(1)
    assert (raised.value.outcome, raised.value.reason) == (Outcome.RETRY, "unreachable")


async def test_a_lost_answer_of_a_list_that_forgets_is_not_asked_again(subject: Subject) -> None:
    async with subject.opened(features={"update_lists": True}) as provider:
        if provider.catalog_feed is not Feed.CONSUMED:
            return
        for fault in ("answer_lost", "cut_json", "html", "stall", "error_500"):
            before = provider.calls
            subject.sandbox.fault(fault)
            with pytest.raises(CallFailed) as raised:
                [page async for page in provider.changed_products(utcnow())]
            assert raised.value.outcome is Outcome.UNKNOWN, fault
            assert provider.calls == before + 1


async def test_check_takes_nothing_off_the_lists_that_forget(subject: Subject) -> None:
    chosen = subject.sandbox.products()[0]["id"]
    subject.sandbox.ask("PATCH", f"/tiny/accounts/demo/products/{chosen}", preco="12.34")
    waiting = waiting_changes(subject)
    async with subject.opened() as provider:
        assert (await provider.check()).features["update_lists"] is (subject.kind == "tiny_v2")
    assert waiting_changes(subject) == waiting != {"products": 0, "stock": 0}


async def test_an_account_without_the_lists_is_found_out(subject: Subject) -> None:
    subject.sandbox.account(realtime_stock=False)
    async with subject.opened() as provider:
        assert (await provider.check()).features["update_lists"] is False


async def test_the_quota_is_kept_without_one_answer_over_it(subject: Subject) -> None:
    """With a vendor's clock a hundred times ours: a third more calls than a minute's take more than a minute of it."""
    sandbox = subject.sandbox
    subject.vendor.limited()
    calls = subject.vendor.per_minute * 4 // 3
    sandbox.ask("POST", "/settings", clock_rate=100)
    async with subject.opened(policy=Policy()) as provider:
        provider.http.limiter.clock_rate = 100
        for _ in range(calls):
            assert (await provider.list_products(1)).rows
    summary = sandbox.ask("GET", "/calls/summary")
    assert summary["over_limit_answers"] == 0
    assert summary["total"] == calls


async def a_simple_product(source: CatalogSource) -> str:
    for row in (await source.list_products(1)).rows:
        reading = await source.read_product(row.external_id)
        if isinstance(reading, tuple) and isinstance(reading[0], ProductRecord) and reading[0].kind == "simple":
            return row.external_id
    raise AssertionError("the first page has no simple product")


def waiting_changes(subject: Subject) -> Any:
    (account,) = subject.sandbox.ask("GET", "/tiny/accounts")
    return account["waiting_changes"]


def assert_no_secret(subject: Subject, text: str) -> None:
    for secret in ("demo-token", "demo-client-secret", "Bearer"):
        assert secret not in text
