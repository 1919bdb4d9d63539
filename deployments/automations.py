"""The automations that bring dead runs back: Prefect has none of its own, a run killed with its worker runs for ever.

`zombies-to-crashed`: a run that has sent no heartbeat for 90 s is marked Crashed.
`rerun-crashed`: a crashed run with the tag `autorerun` is scheduled again, at most `MOST_RUNS` runs in all.
"""

from datetime import timedelta

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

from deployments.prefect_env import ZOMBIE_AFTER_S

ZOMBIES = "zombies-to-crashed"
RERUNS = "rerun-crashed"
AUTORERUN_TAG = "autorerun"
MOST_RUNS = 3
RERUN_AFTER_S = 10
HEARTBEAT = "prefect.flow-run.heartbeat"

CRASHED = "prefect.flow-run.Crashed"
_ENDED = {f"prefect.flow-run.{state}" for state in ("Completed", "Failed", "Cancelled", "Cancelling")}
# Waiting on purpose, with no process that could send a heartbeat.
_WAITING = {
    f"prefect.flow-run.{state}"
    for state in (
        *("Scheduled", "Late", "AwaitingRetry", "AwaitingConcurrencySlot"),
        *("Pending", "Submitting", "Paused", "Suspended"),
    )
}
_RUNNING = {f"prefect.flow-run.{state}" for state in ("Running", "Retrying")}


async def ensure(
    client: PrefectClient,
    zombie_after: timedelta = timedelta(seconds=ZOMBIE_AFTER_S),
    rerun_after: timedelta = timedelta(seconds=RERUN_AFTER_S),
) -> None:
    """Make the automations, or bring those of the same name up to date; anything else on the server stays.

    An automation that ops switched off stays off. Prefect takes no time under 10 s for either.
    """
    for wanted in (zombies_to_crashed(zombie_after), rerun_crashed(rerun_after)):
        present = await client.read_automations_by_name(wanted.name)
        if not present:
            await client.create_automation(wanted)
            continue
        first, *doubles = sorted(present, key=lambda automation: str(automation.id))
        for double in doubles:
            await client.delete_automation(double.id)
        if _as_sent(first) != _as_sent(wanted):
            await client.update_automation(first.id, wanted.model_copy(update={"enabled": first.enabled}))


def zombies_to_crashed(after: timedelta) -> AutomationCore:
    """A heartbeat was seen, and then for `after` neither another one nor a state that explains the silence."""
    return AutomationCore(
        name=ZOMBIES,
        description="A run that has sent no heartbeat for a while is dead: mark it Crashed. Made by `esteira up`.",
        trigger=EventTrigger(
            after={HEARTBEAT},
            expect={HEARTBEAT, CRASHED, *_ENDED, *_WAITING},
            match={"prefect.resource.id": "prefect.flow-run.*"},
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=after,
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.CRASHED,
                name="Crashed",
                message=f"No heartbeat for {after.total_seconds():.0f} s: the process that ran this is gone.",
            )
        ],
    )


def rerun_crashed(after: timedelta) -> AutomationCore:
    """A run that had begun crashed, stayed so for `after`, and has not been begun too often.

    Not at once: when a flow's process dies, its worker says Crashed twice, a fraction of a second apart. A rerun in
    between was overtaken by the second, and the run stayed Crashed; had it begun already, it would have been stopped.

    The run count is the brake: a flow that cannot even be imported ends as Crashed with a run count of 0, and would
    otherwise be started again every few seconds for ever, without a line of ours run that could stop it.
    """
    return AutomationCore(
        name=RERUNS,
        description=(
            f"A crashed run tagged {AUTORERUN_TAG!r} begins again, up to {MOST_RUNS} runs. Made by `esteira up`."
        ),
        trigger=EventTrigger(
            after={CRASHED},
            expect={*_ENDED, *_WAITING, *_RUNNING},
            match={
                "prefect.resource.id": "prefect.flow-run.*",
                "prefect.run-count": [str(count) for count in range(1, MOST_RUNS)],
            },
            match_related={
                "prefect.resource.role": "tag",
                "prefect.resource.id": f"prefect.tag.{AUTORERUN_TAG}",
            },
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=after,
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.SCHEDULED,
                name="AwaitingRetry",
                message="The run crashed and begins again; what was done already is not repeated.",
            )
        ],
    )


def _as_sent(automation: AutomationCore) -> dict[str, object]:
    # Not as JSON: the sets would become lists in an order of their own, and nothing would ever be equal.
    return automation.model_dump(mode="python", include={"name", "description", "trigger", "actions"})
