"""Choices of a policy, given as `key=value`."""

from collections.abc import Sequence
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Le
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from deployments.commands import _shown as shown
from deployments.commands._hub import find, opened
from deployments.errors import Fault
from hub import connections, money, selling
from hub.policy import Policy
from hub.stages import Stage


def chosen(pairs: Sequence[str], standing: dict[str, Any]) -> Policy | None:
    """The standing policy with these choices made; None when none is given. Raises Fault, which lists what is valid."""
    if not pairs:
        return None
    choices = dict(standing)
    for pair in pairs:
        key, separator, value = (part.strip() for part in pair.partition("="))
        if not separator or key not in Policy.model_fields:
            raise Fault(f"--policy received {pair!r}; valid are:\n{listed()}")
        choices.pop(key, None)
        if value:
            choices[key] = _mapping(value) if _is_mapping(key) else value
    try:
        return Policy.model_validate(choices)
    except ValidationError as error:
        wrong = [(str(fault["loc"][0]), fault["input"]) for fault in error.errors(include_url=False)]
        lines = [f"--policy {key} received {str(received)!r}; valid: {valid(key)}" for key, received in wrong]
        raise Fault("\n".join(lines)) from error


async def run(connection_id: str, pairs: Sequence[str], *, as_json: bool) -> int:
    """Show a policy, or change it. Returns the exit code."""
    queued = 0
    async with opened() as db:
        standing = Policy.model_validate((await find(db, connection_id)).policy)
        policy = chosen(pairs, standing.model_dump(mode="json", exclude_defaults=True))
        if policy is not None:
            async with db.write() as session:
                connection = await connections.find(session, connection_id)
                queued = await selling.change_policy(session, connection, policy)
    told = (policy or standing).model_dump(mode="json")
    if as_json:
        shown.as_json({"connection": connection_id, "policy": told, "prices_queued": queued})
        return 0
    shown.table(
        f"Policy of {connection_id}", ("choice", "value"), [(key, _spelt(value)) for key, value in told.items()]
    )
    if queued:
        shown.say(f"{queued} prices change by the new rule and are queued")
    return 0


def listed() -> str:
    """Every choice, what is valid for it, and its default."""
    return "\n".join(
        f"  {key}={valid(key)} (default: {_spelt(field.get_default(call_default_factory=True))})"
        for key, field in Policy.model_fields.items()
    )


def valid(key: str) -> str:
    """What is valid for a choice, in words."""
    field = Policy.model_fields[key]
    if key == "price_adjustment":
        return f"percent from {money.PERCENT_MIN} to {money.PERCENT_MAX}, two decimals at most"
    if _is_mapping(key):
        return f"STAGE:WORD,… with {', '.join(Stage)}"
    if get_origin(field.annotation) is Literal:
        return "|".join(get_args(field.annotation))
    if field.annotation is bool:
        return "true|false"
    if int in (field.annotation, *get_args(field.annotation)):
        return _range(field)
    return "a text"


def _is_mapping(key: str) -> bool:
    return get_origin(Policy.model_fields[key].annotation) is dict


def _mapping(value: str) -> dict[str, str]:
    pairs = (pair.partition(":") for pair in value.split(","))
    return {stage.strip(): word.strip() for stage, _, word in pairs}


def _range(field: FieldInfo) -> str:
    low = next((rule.ge for rule in field.metadata if isinstance(rule, Ge)), None)
    high = next((rule.le for rule in field.metadata if isinstance(rule, Le)), None)
    return f"a whole number{f' from {low}' if low is not None else ''}{f' to {high}' if high is not None else ''}"


def _spelt(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, dict):
        return ",".join(f"{stage}:{word}" for stage, word in value.items()) or "none"
    return str(value).lower() if isinstance(value, bool) else str(value)
