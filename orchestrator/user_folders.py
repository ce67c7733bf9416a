# SPDX-License-Identifier: Apache-2.0
"""Where a user's own files lie: the XDG Base Directory Specification, version 0.8."""

import os
from pathlib import Path


def config_folder() -> Path:
    """What the user wrote."""
    return _folder("XDG_CONFIG_HOME", ".config")


def state_folder() -> Path:
    """What we remember for the user."""
    return _folder("XDG_STATE_HOME", ".local/state")


def _folder(variable: str, default: str) -> Path:
    """A relative path in the variable counts as none, as the specification wants it."""
    chosen = Path(os.environ.get(variable, ""))
    return (chosen if chosen.is_absolute() else Path.home() / default) / "enclave"
