# SPDX-License-Identifier: Apache-2.0
"""Says in a user's words what pydantic found wrong with a spec."""

import difflib
import re
from collections.abc import Iterator, Sequence

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from orchestrator import spec
from orchestrator.quantities import QuantityError, as_written
from orchestrator.spec_error import Finding, Path

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")

# What a value must look like, by the pattern that it did not match.
_PATTERNS = {
    spec.NAME_PATTERN: "a name is 1 to 31 lower-case letters, digits and '-', and begins with a letter",
    spec.PACKAGE_PATTERN: "a Debian package name is lower-case letters, digits, '+', '-' and '.'",
    spec.GUEST_PATH_PATTERN: "a path in the guest begins with / and does not end with it",
    spec.CMDLINE_PATTERN: "a command line is one line of plain ASCII, at most 1024 characters",
}

_SHAPES = {
    "model_type": "a mapping (key: value) belongs here",
    "model_attributes_type": "a mapping (key: value) belongs here",
    "dict_type": "a mapping (key: value) belongs here",
    "tuple_type": "a list belongs here: [a, b]",
    "string_type": "a text belongs here",
    "int_type": "a whole number belongs here",
}

# Steps of pydantic's paths: a key itself, and the forms that a value may have.
_NOT_OF_THE_FILE = ("[key]", "[custom]", "[built-in]", "[auto]", "[explicit]")

# Where a word is one form and a mapping the other.
_MAPPINGS = {"kernel": "{path: FILE}", "place": "{cpus: LIST, memory: {0: 0}, hugepages: 2M}"}

_CPU_LIST = 'for example 0-3, "0-3,8" or [0, 4]'
_NAME = _PATTERNS[spec.NAME_PATTERN]

# What belongs at a path; a star is any partition, list item or key.
_EXAMPLES = {
    "name": "for example duo",
    "node": "for example {cpus: {sockets: 1, cores: 4}, numa: [{cpus: 0-3, memory: 2G}]}",
    "node.cpus": "for example {sockets: 2, cores: 4}",
    "node.numa": "for example {cpus: 0-3, memory: 2G}, one for each NUMA node",
    "node.numa.*": "for example {cpus: 0-3, memory: 2G}",
    "node.numa.*.cpus": _CPU_LIST,
    "node.numa.*.memory": "for example 2G",
    "node.numa.*.near": "that of a NUMA node with CPUs",
    "node.numa.*.latency": "of nanoseconds, for example 100",
    "node.distances": "one row for each NUMA node, for example [[10, 20], [20, 10]]",
    "partitions": "for example host: {kernel: linux, cpus: 0, memory: {0: 512M}}",
    "partitions.*": "for example {kernel: lwk, cpus: 1-3, memory: {0: 256M}}",
    "partitions.*.kernel": "linux, lwk or {path: FILE}",
    "partitions.*.kernel.path": "the file of a kernel, from the folder of the spec",
    "partitions.*.cpus": _CPU_LIST,
    "partitions.*.memory": "for example {0: 256M}: how much of which NUMA node",
    "partitions.*.memory.*": "the number of a NUMA node",
    "partitions.*.packages": "for example [hwloc, numactl]",
    "partitions.*.files": "for example {/etc/motd: motd.txt}",
    "partitions.*.place": "for example {cpus: 2-3, memory: {0: 0}}; or the word auto",
}


def findings(error: ValidationError) -> Iterator[Finding]:
    """One finding for each error; those that only follow from another are left out."""
    details = [
        detail
        for detail in error.errors(include_url=False)
        # Counted after bad items were dropped; they have errors of their own.
        if detail["type"] != "too_short" or not detail["input"]
    ]
    meant = {
        (*path[:-1], guess)
        for detail in details
        if detail["type"] == "extra_forbidden" and (guess := _guess(path := _path(detail)))
    }
    for detail in details:
        if detail["type"] != "missing" or _path(detail) not in meant:
            yield _finding(detail)


def _path(detail: ErrorDetails) -> Path:
    return tuple(step for step in detail["loc"] if step not in _NOT_OF_THE_FILE)


def _finding(detail: ErrorDetails) -> Finding:
    path = _path(detail)
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    match kind:
        case "extra_forbidden":
            return _unknown_key(path)
        case "missing":
            return Finding(path[:-1], f"key {path[-1]!r} is missing", _example(path))
        case "value_error" if isinstance(context.get("error"), QuantityError):
            return Finding(path, context["error"].message, context["error"].hint)
        case "string_pattern_mismatch":
            pattern = _PATTERNS[context["pattern"].strip("^$")]
            return Finding(path, f"{as_written(value)} cannot be used", pattern)
        case "literal_error" | "enum":
            return _unknown_word(path, value, context["expected"])
        case "greater_than_equal":
            return Finding(path, f"{value} is too small", f"at least {context['ge']}")
        case "less_than_equal":
            return Finding(path, f"{value} is too large", f"at most {context['le']}")
        case "too_short" | "string_too_short":
            return Finding(path, "this is empty", _example(path) or "at least one item belongs here")
        case "too_long":
            return Finding(
                path,
                f"there are {context['actual_length'] or 'too many'}",
                f"at most {context['max_length']}",
            )
    return Finding(path, f"{as_written(value)} cannot be used", _shape_hint(detail))


def _example(path: Path) -> str:
    """What is written at a path."""

    def is_any(index: int, step: str | int) -> bool:
        chosen = path[0] == "partitions" and (index == 1 or (index == 3 and path[2] == "memory"))
        return chosen or isinstance(step, int)

    steps = ("*" if is_any(index, step) else str(step) for index, step in enumerate(path))
    return _EXAMPLES.get(".".join(steps), "")


def _shape_hint(detail: ErrorDetails) -> str:
    path, kind = _path(detail), detail["type"]
    if kind == "string_type" and path in (("name",), ("partitions", detail["input"])):
        return _NAME
    hint = _SHAPES.get(kind, detail["msg"])
    if kind == "string_type" and isinstance(detail["input"], bool | int | float):
        return f"{hint}: put it in quotes"
    example = _example(path)
    return f"{hint}, {example}" if example else hint


def _unknown_word(path: Path, value: object, expected: str) -> Finding:
    words = expected.replace("'", "").replace(" or ", ", ").split(", ")
    guess = difflib.get_close_matches(str(value), words, 1)
    known = _listed([*words, *filter(None, [_MAPPINGS.get(str(path[-1]))])])
    return Finding(
        path,
        f"{as_written(value)} is unknown",
        f"did you mean {guess[0]}? known: {known}" if guess else f"known: {known}",
    )


def _listed(words: Sequence[str]) -> str:
    """a, b or c"""
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _unknown_key(path: Path) -> Finding:
    guess, known = _guess(path), f"keys here: {', '.join(_model_at(path[:-1]).model_fields)}"
    return Finding(path, f"unknown key {path[-1]!r}", f"did you mean {guess!r}? {known}" if guess else known)


def _guess(path: Path) -> str:
    """The key that an unknown one may have been meant to be; "" if none is like it."""
    guesses = difflib.get_close_matches(str(path[-1]), list(_model_at(path[:-1]).model_fields), 1)
    return guesses[0] if guesses else ""


def _model_at(path: Path) -> type[BaseModel]:
    match path:
        case ():
            return spec.Spec
        case ("node",):
            return spec.Node
        case ("node", "cpus"):
            return spec.NodeCpus
        case ("node", "numa", _):
            return spec.NumaNode
        case ("partitions", _):
            return spec.Partition
        case ("partitions", _, "kernel"):
            return spec.CustomKernel
        case ("partitions", _, "place"):
            return spec.Place
    raise LookupError(f"no mapping of the spec has the path {path}")


def render_path(path: Path) -> str:
    """node.numa[1].memory, partitions.host.files[/etc/motd]"""
    text = "".join(
        f".{step}" if isinstance(step, str) and _WORD.fullmatch(step) else f"[{step}]" for step in path
    )
    return text.removeprefix(".")
