"""Settings come from the environment alone; a missing or wrong one ends the service with its name."""

from __future__ import annotations

import os


class BadSetting(SystemExit):
    """A variable that the service cannot run with; exit code 78 is EX_CONFIG of sysexits.h."""

    def __init__(self, name: str, fault: str) -> None:
        super().__init__(78)
        print(f"the environment variable {name} {fault}", flush=True)


def text(name: str) -> str:
    """A required variable."""
    value = os.environ.get(name, "")
    if not value:
        raise BadSetting(name, "is not set")
    return value


def number(name: str, default: float | None = None) -> float:
    """A number; without a default it is required."""
    if default is not None and name not in os.environ:
        return default
    value = text(name)
    try:
        return float(value)
    except ValueError:
        raise BadSetting(name, f"is not a number: {value!r}") from None


def data_path(*parts: str) -> str:
    """A path below DATA_DIR."""
    return os.path.join(text("DATA_DIR"), *parts)
