# SPDX-License-Identifier: Apache-2.0
"""Says in a user's words what pydantic found wrong with a spec."""

import difflib
from collections.abc import Iterator

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from orchestrator import spec
from orchestrator.quantities import QuantityError
from orchestrator.spec_error import Finding, Path

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

# Shapes that are asked for often enough to be shown.
_EXAMPLES = {
    "memory": "for example {0: 256M}: how much of which NUMA node",
    "partitions": "for example host: {kernel: linux, cpus: 0, memory: {0: 512M}}",
    "numa": "for example {cpus: 0-3, memory: 2G}, one for each NUMA node",
    "packages": "for example [hwloc, numactl]",
    "files": "for example {/etc/motd: motd.txt}",
}


def findings(error: ValidationError) -> Iterator[Finding]:
    """One finding for each error; those that only follow from another are left out."""
    for detail in error.errors(include_url=False):
        if detail["type"] == "too_short" and detail["input"]:
            continue  # counted after bad items were dropped; they have errors of their own
        yield _finding(detail)


def _finding(detail: ErrorDetails) -> Finding:
    path = tuple(step for step in detail["loc"] if step not in ("[key]", "custom", "built-in"))
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    match kind:
        case "extra_forbidden":
            return _unknown_key(path)
        case "missing":
            return Finding(path[:-1], f"key {path[-1]!r} is missing", _EXAMPLES.get(str(path[-1]), ""))
        case "value_error" if isinstance(context.get("error"), QuantityError):
            return Finding(path, context["error"].message, context["error"].hint)
        case "string_pattern_mismatch":
            return Finding(path, f"{show(value)} cannot be used", _PATTERNS[context["pattern"].strip("^$")])
        case "literal_error" | "enum":
            return _unknown_word(path, value, context["expected"])
        case "greater_than_equal":
            return Finding(path, f"{value} is too small", f"at least {context['ge']}")
        case "less_than_equal":
            return Finding(path, f"{value} is too large", f"at most {context['le']}")
        case "too_short" | "string_too_short":
            return Finding(
                path, "this is empty", _EXAMPLES.get(str(path[-1]), "at least one item belongs here")
            )
        case "too_long":
            return Finding(
                path,
                f"there are {context['actual_length'] or 'too many'}",
                f"at most {context['max_length']}",
            )
    return Finding(path, f"{show(value)} cannot be used", _shape_hint(path, kind, detail["msg"]))


def _shape_hint(path: Path, kind: str, message: str) -> str:
    hint = _SHAPES.get(kind, message)
    example = _EXAMPLES.get(str(path[-1])) if path else ""
    return f"{hint}, {example}" if example else hint


def _unknown_word(path: Path, value: object, expected: str) -> Finding:
    words = expected.replace("'", "").replace(" or ", ", ").split(", ")
    guess = difflib.get_close_matches(str(value), words, 1)
    known = " or ".join(words) + (" or {path: FILE}" if path[-1] == "kernel" else "")
    return Finding(
        path,
        f"{show(value)} is unknown",
        f"did you mean {guess[0]}? known: {known}" if guess else f"known: {known}",
    )


def _unknown_key(path: Path) -> Finding:
    keys = list(_model_at(path[:-1]).model_fields)
    guess = difflib.get_close_matches(str(path[-1]), keys, 1)
    known = f"keys here: {', '.join(keys)}"
    return Finding(
        path, f"unknown key {path[-1]!r}", f"did you mean {guess[0]!r}? {known}" if guess else known
    )


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
    raise LookupError(f"no mapping of the spec has the path {path}")


def render_path(path: Path) -> str:
    """node.numa[1].memory"""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


def show(value: object) -> str:
    """A value, cut to what fits in a message."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
