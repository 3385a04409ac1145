"""Settings come from the environment alone; a missing one ends the service with its name."""

from __future__ import annotations

import os


class MissingSetting(SystemExit):
    """A required variable is not set; exit code 78 is EX_CONFIG of sysexits.h."""

    def __init__(self, name: str) -> None:
        super().__init__(78)
        print(f"the environment variable {name} is not set", flush=True)


def text(name: str) -> str:
    """A required variable."""
    value = os.environ.get(name, "")
    if not value:
        raise MissingSetting(name)
    return value


def number(name: str, default: float | None = None) -> float:
    """A number; without a default it is required."""
    if default is not None and name not in os.environ:
        return default
    return float(text(name))


def data_path(*parts: str) -> str:
    """A path below DATA_DIR."""
    return os.path.join(text("DATA_DIR"), *parts)
