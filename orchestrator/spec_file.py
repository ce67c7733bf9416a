# SPDX-License-Identifier: Apache-2.0
"""Reads a spec file: template, YAML, models, rules. The one door by which what a person wrote comes in."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from orchestrator import spec_rules, spec_words
from orchestrator.spec import CustomKernel, Spec
from orchestrator.spec_error import Finding, Problem, SpecError, TextError
from orchestrator.template import Rendered, Value, render
from orchestrator.yaml_tree import YamlTree, load_tree

_SHIPPED = "specs/duo.yaml is one to begin with; docs/spec.md tells how to write one"


def load_spec(path: Path, defines: Mapping[str, Value]) -> Spec:
    """The checked spec. `defines` are the variables of its template.

    Raises SpecError with every problem that could be found, each on its line of the file as the person
    wrote it; and UsageError for a definition that the template does not use.
    """
    source = _read(path)
    try:
        rendered = render(source, defines)
    except TextError as error:
        raise _spec_error(path, source, Rendered(source, ()), error.problems) from error
    try:
        tree = load_tree(rendered.text)
    except TextError as error:
        raise _spec_error(path, source, rendered, error.problems) from error
    try:
        spec = Spec.model_validate(tree.data)
    except ValidationError as error:
        raise _spec_error(path, source, rendered, _located(spec_words.findings(error), tree)) from error
    findings = [*spec_rules.findings(spec), *_files(spec, path.parent)]
    if findings:
        raise _spec_error(path, source, rendered, _located(findings, tree))
    return spec


def _read(path: Path) -> str:
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise SpecError(f"{path}: there is no such file", hint=_SHIPPED) from error
    except IsADirectoryError as error:
        raise SpecError(f"{path}: this is a directory", hint=_SHIPPED) from error
    except OSError as error:
        raise SpecError(f"{path}: cannot be read: {error.strerror}", hint="check its permissions") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        byte = f"byte 0x{content[error.start]:02x}"
        raise SpecError(
            f"{path}:{line}: this is not UTF-8: {byte} at offset {error.start}", hint="a spec is UTF-8 text"
        ) from error


def _files(spec: Spec, folder: Path) -> Iterator[Finding]:
    """Checks the files that the spec names."""
    for name, partition in spec.partitions.items():
        if isinstance(partition.kernel, CustomKernel):
            # Imported for those who need it: pyelftools costs every other `up` a tenth of a second.
            from orchestrator.kernel_image import KernelImageError, inspect

            try:
                inspect(folder / partition.kernel.path)
            except KernelImageError as error:
                yield Finding(("partitions", name, "kernel", "path"), error.message, error.hint)
        for guest_path, local_path in partition.files.items():
            if not (folder / local_path).is_file():
                yield Finding(
                    ("partitions", name, "files", guest_path),
                    f"{folder / local_path} is no file",
                    "a path is relative to the folder of the spec; folders are not copied",
                )


def _located(findings: Sequence[Finding] | Iterator[Finding], tree: YamlTree) -> list[Problem]:
    return [
        Problem(
            tree.line(found.path),
            ": ".join(filter(None, [spec_words.render_path(found.path), found.message])),
            found.hint,
        )
        for found in findings
    ]


def _spec_error(path: Path, source: str, rendered: Rendered, problems: Sequence[Problem]) -> SpecError:
    ordered = sorted(problems, key=lambda problem: problem.line)
    return SpecError("\n".join(_paragraph(path, source, rendered, problem) for problem in ordered), ordered)


def _paragraph(path: Path, source: str, rendered: Rendered, problem: Problem) -> str:
    """file:line: what; the line; what would be right."""
    if problem.line == 0:
        lines = [f"{path}: {problem.message}"]
    elif rendered.text == source:
        lines = [f"{path}:{problem.line}: {problem.message}", _quote(rendered.text, problem.line)]
    else:
        lines = _rendered_paragraph(path, rendered, problem)
    lines += [f"    {line}" for line in problem.hint.splitlines()]
    return "\n".join(lines)


def _rendered_paragraph(path: Path, rendered: Rendered, problem: Problem) -> list[str]:
    line = rendered.template_line(problem.line)
    where = f"{path}:{line}" if line else f"{path}: line {problem.line} of the file as rendered"
    return [
        f"{where}: {problem.message}",
        f"{_quote(rendered.text, problem.line)}    <- as rendered, line {problem.line}",
    ]


def _quote(text: str, line: int) -> str:
    lines = text.split("\n")
    return f"  | {lines[line - 1].strip()[:100]}" if line <= len(lines) else ""
