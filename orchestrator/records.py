# SPDX-License-Identifier: Apache-2.0
"""Records as JSON. Most records are NamedTuples: to define a frozen dataclass takes six times as long, and
every `enclave up` defines forty (docs/decisions.md).
"""

import dataclasses
import enum
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def as_json(value: Any) -> Any:
    """What json.dumps takes: a record as an object by its fields, a tuple as an array, a path as its text."""
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return {name: as_json(field) for name, field in zip(value._fields, value, strict=True)}
    if dataclasses.is_dataclass(value):
        return {field.name: as_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: as_json(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [as_json(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    return value.value if isinstance(value, enum.Enum) else value
