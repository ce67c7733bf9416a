# SPDX-License-Identifier: Apache-2.0
"""A spec is a Jinja2 template first: renders it, and remembers where each rendered line came from."""

import difflib
import re
import traceback
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, UndefinedError, meta
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream
from jinja2.sandbox import ImmutableSandboxedEnvironment

from orchestrator.errors import UsageError
from orchestrator.spec_error import Problem, TextError

Value = int | bool | str

# Stands at the end of each line of a traced rendering, around the line's number in the template. Unicode
# gives these characters no meaning.
MARK = re.compile("\ue000([0-9]+)\ue001")


@dataclass(frozen=True, slots=True)
class Rendered:
    """`template_lines[n - 1]` is the template's line for line n of `text`, or 0 where that cannot be told."""

    text: str
    template_lines: tuple[int, ...]

    def template_line(self, line: int) -> int:
        return self.template_lines[line - 1] if 0 < line <= len(self.template_lines) else 0


def parse_define(argument: str) -> tuple[str, Value]:
    """Name and value of a `-D name=value`; whole numbers, true and false become what they look like."""
    name, equals, text = argument.partition("=")
    if not equals or not name.isidentifier():
        raise UsageError(
            f"-D {argument}: this is no definition", "write -D name=value, for example -D lwks=8"
        )
    if re.fullmatch(r"-?(0|[1-9][0-9]*)", text):
        return name, int(text)
    return name, {"true": True, "false": False}.get(text.lower(), text)


def render(source: str, defines: Mapping[str, Value]) -> Rendered:
    """Raises TextError if the template is broken, and UsageError for a definition that it does not use."""
    environment = _environment([])
    try:
        tree = environment.parse(source)
        known = meta.find_undeclared_variables(tree)
        _check_defines(defines, known)
        text = environment.from_string(source).render(defines)
    except TemplateSyntaxError as error:
        raise TextError([_syntax_problem(error, environment, source)]) from error
    except UsageError:
        raise
    except Exception as error:  # whatever an expression in the template may raise
        raise TextError([_runtime_problem(error)]) from error
    return Rendered(text, _trace_lines(source, defines, text))


def _environment(extensions: list[type[Extension]]) -> ImmutableSandboxedEnvironment:
    return ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=extensions,
    )


def _check_defines(defines: Mapping[str, Value], known: set[str]) -> None:
    for name in sorted(set(defines) - known):
        guess = difflib.get_close_matches(name, known, 1)
        uses = f"it uses {', '.join(sorted(known))}" if known else "it uses no variables"
        raise UsageError(
            f"-D {name}={defines[name]}: the spec does not use {name!r}",
            f"did you mean {guess[0]!r}? {uses}" if guess else uses,
        )


def _syntax_problem(
    error: TemplateSyntaxError, environment: ImmutableSandboxedEnvironment, source: str
) -> Problem:
    message, hint = str(error.message), ""
    if open_tag := re.search(r"needs to be closed is '(\w+)'", message):
        message, hint = f"{{% {open_tag[1]} %}} is not closed", f"write {{% end{open_tag[1]} %}} behind it"
    elif unknown := re.fullmatch(r"No (filter|test) named '(\w+)'\.", message):
        names = environment.filters if unknown[1] == "filter" else environment.tests
        guess = difflib.get_close_matches(unknown[2], names, 1)
        message = f"there is no {unknown[1]} {unknown[2]!r}"
        hint = f"did you mean {guess[0]!r}?" if guess else f"there are the {unknown[1]}s of Jinja2"
    elif "{{" in source:
        hint = "write {{ '{{' }} for two braces that are no expression"
    return Problem(error.lineno, f"the template is broken: {message}", hint)


def _runtime_problem(error: Exception) -> Problem:
    lines = [
        frame.lineno or 0
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == "<template>"
    ]
    line = lines[-1] if lines else 0
    if isinstance(error, UndefinedError):
        name = re.fullmatch(r"'(\w+)' is undefined", str(error))
        hint = (
            f"give it a value with -D {name[1]}=..., or a default: {{{{ {name[1]} | default(...) }}}}"
            if name
            else ""
        )
        return Problem(line, f"the template is broken: {error}", hint)
    if isinstance(error, TypeError) and "no loader" in str(error):
        return Problem(line, "another file cannot be brought in", "a spec is one file; use {% macro %} or -D")
    kind = "" if isinstance(error, TemplateError) else f" ({type(error).__name__})"
    return Problem(line, f"the template cannot be rendered: {error}{kind}")


class _LineMarks(Extension):
    """Puts a mark with the template's line number before every newline of the template's literal text."""

    def filter_stream(self, stream: TokenStream) -> Iterable[Token]:
        return map(_mark_lines, iter(stream))


def _mark_lines(token: Token) -> Token:
    if token.type != "data":
        return token
    pieces = token.value.split("\n")
    marked = [f"{piece}\ue000{token.lineno + index}\ue001" for index, piece in enumerate(pieces[:-1])]
    return Token(token.lineno, token.type, "\n".join([*marked, pieces[-1]]))


def _trace_lines(source: str, defines: Mapping[str, Value], text: str) -> tuple[int, ...]:
    """Renders once more, with marks. If that makes another text (a filter saw the marks), all is 0."""
    traced = _environment([_LineMarks]).from_string(source).render(defines)
    if MARK.sub("", traced) != text:
        return (0,) * (text.count("\n") + 1)
    return tuple(_read_marks(traced, source.count("\n") + 1))


def _read_marks(traced: str, last_line: int) -> Iterator[int]:
    """A line without a mark came out of an expression; it belongs to the next one that has a mark."""
    pending = 0
    for line in traced.split("\n"):
        pending += 1
        marks = MARK.findall(line)
        if marks:
            yield from [int(marks[-1])] * pending
            pending = 0
    yield from [last_line] * pending
