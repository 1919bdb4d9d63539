"""The shared webhook deliverer: what its settings lose, double, hold and try again."""

import pytest

from sandbox.core.clock import Clock
from sandbox.core.deliveries import DELIVERY_SETTINGS, Deliveries, is_loopback
from sandbox.core.settings import Settings
from tests.sandbox.receiver import receiver


@pytest.fixture
def hook():
    with receiver() as state:
        yield state


def deliveries(**settings):
    return Deliveries(Clock(), Settings(DELIVERY_SETTINGS, settings))


def post(sender, url, number=1, **rest):
    body = b'{"number":%d}' % number
    sender.post(vendor="v", account="a", event="e", url=url, headers={"x-secret": "s"}, body=body, **rest)


def numbers(hook):
    return [body["number"] for body in hook.bodies]


async def test_an_event_is_posted_with_its_headers_and_the_answer_is_heard(hook):
    sender, heard = deliveries(), []
    post(sender, hook.url, on_answer=lambda status, body: heard.append((status, body)))
    assert await sender.wait(5)
    ((headers, body),) = hook.got
    assert (headers["x-secret"], body, heard) == ("s", {"number": 1}, [(200, b"{}")])
    (row,) = sender.select("v", "a", None)
    assert (row["state"], row["body"], row["attempts"][0]["status"]) == ("delivered", {"number": 1}, 200)


async def test_a_refusing_receiver_is_tried_again_after_each_pause(hook):
    sender = deliveries(webhook_retry_speed=6000)
    hook.answers = [500, 302, 503]
    post(sender, hook.url, retry_after_s=(60, 60, 60))
    assert await sender.wait(5)
    (row,) = sender.select(None, None, None)
    assert ([a["status"] for a in row["attempts"]], row["state"]) == ([500, 302, 503, 200], "delivered")


async def test_without_pauses_one_failure_is_the_end(hook):
    sender, heard = deliveries(), []
    hook.answers = [500]
    post(sender, hook.url, on_answer=lambda *a: heard.append(a))
    post(sender, "http://127.0.0.1:9/closed")
    assert await sender.wait(5)
    assert [d["state"] for d in sender.select(None, None, None)] == ["gave_up", "gave_up"]
    assert "ConnectError" in sender.select(None, None, None)[1]["attempts"][0]["error"]
    assert heard == []


async def test_every_second_event_can_be_lost_and_the_others_doubled(hook):
    sender = deliveries(webhook_lose_every=2, webhook_copies=2)
    for number in range(1, 5):
        post(sender, hook.url, number)
    assert await sender.wait(5)
    assert sorted(numbers(hook)) == [1, 1, 3, 3]
    assert (sender.totals()["lost"], sender.totals()["delivered"], sender.totals()["events"]) == (2, 4, 4)


async def test_held_events_leave_at_the_flush_in_the_order_asked_for(hook):
    sender = deliveries(webhook_hold=True)
    for number in range(1, 6):
        post(sender, hook.url, number)
    assert await sender.wait(0)
    assert sender.totals()["held"] == 5
    assert await sender.flush(reverse=True, copies=2) == {"sent": 10, "delivered": 10}
    assert numbers(hook) == [5, 5, 4, 4, 3, 3, 2, 2, 1, 1]
    hook.got.clear()
    for number in range(1, 6):
        post(sender, hook.url, number)
    await sender.flush(shuffle_seed=3)
    assert sorted(numbers(hook)) == [1, 2, 3, 4, 5] != numbers(hook)
    assert await sender.flush() == {"sent": 0}


async def test_forgetting_stops_what_is_pending(hook):
    sender = deliveries(webhook_delay_s=30)
    post(sender, hook.url)
    assert not await sender.wait(0.01)
    sender.forget()
    assert await sender.wait(0)
    assert sender.totals()["events"] == len(hook.got) == 0


async def test_only_this_machine_is_called():
    sender = deliveries()
    post(sender, "http://example.com/hook")
    assert sender.totals()["refused"] == 1
    assert all(map(is_loopback, ("http://localhost:1/x", "http://[::1]/x")))
    assert not any(map(is_loopback, ("https://127.0.0.1/", "http://10.0.0.1/", "http://127.0.0.1:x/", "x", "")))
