# SPDX-License-Identifier: Apache-2.0
"""Sizes and CPU lists: from what a person writes to numbers, and back."""

import re
from collections.abc import Iterable

MIB = 1 << 20
UNITS = {"K": 1 << 10, "M": MIB, "G": 1 << 30, "T": 1 << 40}
CPUS_MAX = 4096  # of a node; the room that the IKC region has for a partition's CPUs


class QuantityError(ValueError):
    """A size or CPU list that cannot be read; `hint` says what would be right."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def as_written(value: object) -> str:
    """A value in the words of YAML, cut to what fits in a message."""
    if value is None:
        return "an empty value"
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def parse_size(value: object) -> int:
    """Bytes of a size such as "512M": a whole number and a unit, K, M, G or T, powers of 1024.

    Memory is handed out in whole mebibytes, so anything else is refused. Raises QuantityError.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise QuantityError(f"{value} has no unit", f"write {value}M for mebibytes, {value}G for gibibytes")
    if not isinstance(value, str):
        raise QuantityError(
            f"{as_written(value)} is no size", "write a number and a unit, for example 512M or 2G"
        )
    match = re.fullmatch(r"\s*([0-9]+)(?:\.([0-9]+))?\s*([A-Za-z]*)\s*", value)
    if not match:
        raise QuantityError(
            f"{as_written(value)} is no size", "write a number and a unit, for example 512M or 2G"
        )
    whole, fraction, unit = match.groups()
    if unit not in UNITS:
        raise QuantityError(
            f"{value!r}: {_unit_problem(unit)}", f"units are K, M, G and T{_unit_guess(whole, unit)}"
        )
    if fraction:
        raise QuantityError(f"{value!r} is no whole number", "write it in a smaller unit: 1.5G is 1536M")
    size = int(whole) * UNITS[unit]
    if size == 0 or size % MIB:
        raise QuantityError(
            f"{value!r} is not a whole number of mebibytes", "memory comes in steps of 1M, at least 1M"
        )
    return size


def _unit_problem(unit: str) -> str:
    return f"unit {unit!r} is unknown" if unit else "the unit is missing"


def _unit_guess(whole: str, unit: str) -> str:
    guess = unit[:1].upper() or "M"
    return f"; did you mean {whole}{guess}?" if guess in UNITS else " (powers of 1024)"


def format_size(size_bytes: int) -> str:
    """The shortest exact spelling that `parse_size` reads back; "0" for none."""
    if size_bytes == 0:
        return "0"
    for unit, factor in reversed(UNITS.items()):
        if size_bytes % factor == 0:
            return f"{size_bytes // factor}{unit}"
    raise ValueError(f"{size_bytes} bytes is not a whole number of KiB")


def parse_cpu_list(value: object) -> tuple[int, ...]:
    """The CPUs of 3, "0-3,8", or a list of such, ascending. Raises QuantityError."""
    parts = value if isinstance(value, list) else [value]
    cpus: list[int] = []
    for part in parts:
        cpus.extend(_parse_cpu_part(part))
    twice = sorted({cpu for cpu in cpus if cpus.count(cpu) > 1}) if len(set(cpus)) < len(cpus) else []
    if twice:
        raise QuantityError(f"CPU {format_cpu_list(twice)} is listed twice", "name each CPU once")
    if not cpus:
        raise QuantityError("no CPU is listed", 'write for example 0-3, "0-3,8" or [0, 4]')
    return tuple(sorted(cpus))


def _parse_cpu_part(part: object) -> Iterable[int]:
    hint = 'write for example 0-3, "0-3,8" or [0, 4]'
    if isinstance(part, bool) or not isinstance(part, int | str):
        raise QuantityError(f"{as_written(part)} is no CPU list", hint)
    for item in str(part).split(","):
        match = re.fullmatch(r"\s*([0-9]{1,9})\s*(?:-\s*([0-9]{1,9})\s*)?", item)
        if not match:
            raise QuantityError(f"{item.strip()!r} is no CPU or range of CPUs", hint)
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise QuantityError(f"the range {first}-{last} runs backwards", f"write {last}-{first}")
        if last >= CPUS_MAX:
            raise QuantityError(
                f"CPU {last} is out of reach", f"a node has at most {CPUS_MAX} CPUs, counted from 0"
            )
        yield from range(first, last + 1)


def format_cpu_list(cpus: Iterable[int]) -> str:
    """The Linux way: "0-3,8"; "none" for an empty list."""
    runs: list[list[int]] = []
    for cpu in sorted(cpus):
        if runs and cpu == runs[-1][1] + 1:
            runs[-1][1] = cpu
        else:
            runs.append([cpu, cpu])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs) or "none"
