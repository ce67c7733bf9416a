# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a spec, each problem on its line."""

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.errors import UsageError

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a text; `line` counts from 1, and 0 means the text as a whole."""

    line: int
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong with the value at `path`, the keys and indices from the root of the spec."""

    path: Path
    message: str
    hint: str = ""


class TextError(Exception):
    """A text that cannot be read any further, with every problem found so far."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = tuple(problems)


class SpecError(UsageError):
    """A spec that cannot be used: for each problem file:line, what is wrong, and what would be right."""

    def __init__(self, message: str, problems: Sequence[Problem] = (), hint: str = "") -> None:
        super().__init__(message, hint)
        self.problems = tuple(problems)
