# SPDX-License-Identifier: Apache-2.0
"""What a user has set for all enclaves: $XDG_CONFIG_HOME/enclave/config.toml, if there is one.

    spec = "specs/duo.yaml"   # what `up`, `check` and `plan` take when none is named; relative to this file
    accelerator = "tcg"       # what `up` takes without --accel: auto, kvm, tcg
    colour = "never"          # auto, always, never

TOML and not YAML: Python's own parser for it is loaded in a few milliseconds, and every verb reads this file.
"""

from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

from orchestrator.errors import UsageError
from orchestrator.user_folders import config_folder

CHOICES = {"accelerator": ("auto", "kvm", "tcg"), "colour": ("auto", "always", "never")}


class Settings(NamedTuple):
    spec: Path | None = None
    accelerator: str = "auto"
    colour: str = "auto"


def settings_file() -> Path:
    return config_folder() / "config.toml"


def load_settings() -> Settings:
    """Raises UsageError that says what in the file cannot be used, and what could."""
    file = settings_file()
    try:
        text = file.read_text()
    except FileNotFoundError:
        return Settings()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {error}", "mend it, or remove it") from error
    import tomllib

    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{file} is no TOML: {error}", 'a line of it is: spec = "specs/duo.yaml"') from error
    return _checked(file, found)


def _checked(file: Path, found: dict[str, Any]) -> Settings:
    for key, value in found.items():
        if key not in Settings._fields:
            guess = get_close_matches(key, Settings._fields, 1)
            meant = f"did you mean {guess[0]!r}? " if guess else ""
            raise UsageError(
                f"{file}: unknown key {key!r}", f"{meant}there are: {', '.join(Settings._fields)}"
            )
        if not isinstance(value, str) or (key in CHOICES and value not in CHOICES[key]):
            right = ", ".join(CHOICES[key]) if key in CHOICES else 'the path of a file, as "specs/duo.yaml"'
            raise UsageError(f"{file}: {key} is {value!r}", f"it can be: {right}")
    if "spec" in found:
        found["spec"] = file.parent / Path(found["spec"]).expanduser()
    return Settings(**found)
