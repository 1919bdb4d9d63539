"""Named settings with a type, a range and a default, changed through the control API."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Spec:
    """One setting: its default (whose type it keeps), what it means, its choices or its lowest value."""

    default: Any
    meaning: str
    choices: tuple[str, ...] = ()
    low: float = 0.0


class Settings:
    """The settings of a run as attributes; `merge` checks before it changes anything."""

    def __init__(self, specs: Mapping[str, Spec], start: Mapping[str, Any] | None = None) -> None:
        self._specs = dict(specs)
        self.__dict__.update({name: spec.default for name, spec in specs.items()})
        self.merge(start or {})

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"no setting {name!r}; there are {', '.join(self._specs)}")

    def merge(self, values: Mapping[str, Any]) -> None:
        """Change the settings named in `values`; ValueError names the wrong one and what is valid."""
        self.__dict__.update({name: self._checked(name, value) for name, value in values.items()})

    def as_dict(self) -> dict[str, Any]:
        """Return every setting with its present value."""
        return {name: self.__dict__[name] for name in self._specs}

    def _checked(self, name: str, value: Any) -> Any:
        spec = self._specs.get(name)
        if spec is None:
            raise ValueError(f"unknown setting {name!r}; there are {', '.join(self._specs)}")
        if isinstance(spec.default, bool):
            if not isinstance(value, bool):
                raise ValueError(f"{name} is true or false, got {value!r}")
        elif isinstance(spec.default, str):
            if value not in spec.choices:
                raise ValueError(f"{name} is one of {', '.join(spec.choices)}, got {value!r}")
        elif isinstance(value, bool) or not isinstance(value, int | float) or value < spec.low:
            raise ValueError(f"{name} is a number not below {spec.low:g}, got {value!r}")
        return value


CORE_SETTINGS = {
    "latency_ms": Spec(0.0, "real milliseconds every vendor answer takes"),
    "stall_s": Spec(30.0, "real seconds a `stall` fault waits when it names no time of its own"),
}
