# SPDX-License-Identifier: Apache-2.0
"""What is in a request, as far as it is what its verb wants. Raises UsageError if it is not."""

from typing import Any

from orchestrator.errors import UsageError

Json = dict[str, Any]


def word(request: Json, key: str) -> str:
    value = request.get(key)
    if not isinstance(value, str):
        raise UsageError(f"`{key}` is missing or no text", "orchestrator/client.py shows each request")
    return value


def word_or_none(request: Json, key: str) -> str | None:
    return None if request.get(key) is None else word(request, key)


def words(request: Json, key: str) -> list[str]:
    value = request.get(key)
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise UsageError(f"`{key}` is missing or no list of texts", f'write "{key}": ["..."]')
    return value


def whole(request: Json, key: str, least: int = 0, most: int = (1 << 64) - 1) -> int:
    value = request.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise UsageError(f"`{key}` is {value!r}", f"a whole number from {least} to {most}")
    return value


def number(request: Json, key: str, least: float, most: float) -> float:
    value = request.get(key)
    if not isinstance(value, int | float) or isinstance(value, bool) or not least <= value <= most:
        raise UsageError(f"`{key}` is {value!r}", f"a number from {least:g} to {most:g}")
    return float(value)
