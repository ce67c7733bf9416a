# SPDX-License-Identifier: Apache-2.0
"""YAML as plain data, beside the line on which each value stands."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from orchestrator.spec_error import Path, Problem, TextError

DEPTH_MAX = 20
_OPENING = (
    yaml.BlockMappingStartToken,
    yaml.BlockSequenceStartToken,
    yaml.FlowMappingStartToken,
    yaml.FlowSequenceStartToken,
)
_CLOSING = (yaml.BlockEndToken, yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)


# Part of what PyYAML says: what it means, what would be right, whether it is told where the context begins.
_MISTAKES = {
    "'\\t'": ("a tab", "indent with spaces", False),
    "parsing a flow": (
        "a bracket or brace is not closed, or lacks a comma",
        "close it, or part its items by commas",
        True,
    ),
    "scanning a quoted scalar": ("a quote is not closed", "close it", True),
    "mapping values are not allowed": (
        "a colon where no key can be",
        "one key a line, a space behind its colon; a text with a colon belongs in quotes",
        False,
    ),
    "expected <block end>": (
        "this is indented like nothing above it",
        "the keys of one mapping begin in the same column",
        False,
    ),
    "a single document": ("a second document begins", "a spec is one: remove the ---", False),
}


@dataclass(frozen=True, slots=True)
class YamlTree:
    """`lines` has the line of each key or list item, by its path from the root; the root's path is ()."""

    data: Any
    lines: Mapping[Path, int]

    def line(self, path: Path) -> int:
        """The line of the last thing on the way to `path` that exists; steps that do not are skipped."""
        found: Path = ()
        for step in path:
            if (*found, step) in self.lines:
                found = (*found, step)
        return self.lines[found]


def load_tree(text: str) -> YamlTree:
    """Raises TextError for what is not YAML, more than one document, aliases, and keys that come twice."""
    try:
        _check_tokens(text)
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        if root is None:
            raise TextError(
                [Problem(0, "the file is empty", "specs/solo.yaml is a small spec to start from")]
            )
        reader = _Reader(loader)
        data = reader.read(root, ())
    except yaml.MarkedYAMLError as error:
        raise TextError([_yaml_problem(error)]) from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a scalar such as 2026-13-45
        raise TextError([Problem(0, f"this is not YAML: {error}")]) from error
    if reader.problems:
        raise TextError(reader.problems)
    return YamlTree(data, reader.lines)


def _check_tokens(text: str) -> None:
    """Refuses deep nesting, which costs time, and aliases, a few of which can stand for gigabytes."""
    depth = 0
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        line = token.start_mark.line + 1
        if isinstance(token, yaml.AliasToken):
            raise TextError(
                [Problem(line, f"alias *{token.value} is not supported", "use {% set %} of Jinja2")]
            )
        depth += isinstance(token, _OPENING) - isinstance(token, _CLOSING)
        if depth > DEPTH_MAX:
            raise TextError([Problem(line, "this is nested too deeply to be a spec")])


def _yaml_problem(error: yaml.MarkedYAMLError) -> Problem:
    """In a person's words for the mistakes that are made most; of what is left open, where it begins."""
    mark, begin = error.problem_mark or error.context_mark, error.context_mark
    message = " ".join(filter(None, [error.context, error.problem]))
    hint = ""
    for part, (words, cure, at_begin) in _MISTAKES.items():
        if part in message:
            message, hint, mark = words, cure, begin if at_begin else mark
            break
    return Problem(mark.line + 1 if mark else 0, f"this is not YAML: {message}", hint)


class _Reader:
    """Walks the node graph, which without aliases is a tree."""

    def __init__(self, loader: yaml.SafeLoader) -> None:
        self._loader = loader
        self.lines: dict[Path, int] = {}
        self.problems: list[Problem] = []

    def read(self, node: yaml.Node, path: Path) -> Any:
        self.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return self._read_mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._loader.construct_object(node)

    def _read_mapping(self, node: yaml.MappingNode, path: Path) -> dict[Any, Any]:
        data: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self.problems.append(Problem(line, "a key must be a plain word or number"))
                continue
            key = self._loader.construct_object(key_node)
            if key in data:
                self.problems.append(Problem(line, f"key {key!r} comes twice", "keep one of them"))
                continue
            self.lines[(*path, key)] = line
            data[key] = self.read(value_node, (*path, key))
        return data
