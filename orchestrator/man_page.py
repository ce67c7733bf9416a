# SPDX-License-Identifier: Apache-2.0
"""The manual page of the command line, out of what its `--help` says. In the macros of man(7)."""

import re
from collections.abc import Collection, Iterator
from datetime import date
from inspect import cleandoc
from textwrap import wrap

import click

LINE_MAX = 72  # before escapes are added
ENVIRONMENT = {
    "ENCLAVE_RUNTIME_DIR": "Where run folders are. Without it, enclave/ in XDG_RUNTIME_DIR.",
    "XDG_CONFIG_HOME": "Where enclave/config.toml is looked for; ~/.config without it.",
    "NO_COLOR": "Not empty: no colours, not on a terminal either.",
    "FORCE_COLOR": "Not empty: colours also into files and pipes.",
}
FILES = {
    "$XDG_CONFIG_HOME/enclave/config.toml": "The user's settings.",
    "$XDG_RUNTIME_DIR/enclave/NAME/": "The run folder of enclave NAME: its logs, plan and sockets.",
}


def man_page(root: click.Group, version: str, day: date, exit_statuses: str) -> str:
    """The whole page. `exit_statuses` are lines of `number  meaning` between text."""
    ctx = click.Context(root, info_name="enclave", **root.context_settings)
    about = cleandoc(root.help or "")
    lines = [
        f'.TH ENCLAVE 1 {day} "enclave {version}" "User Commands"',
        *(".SH NAME", *_filled(f"enclave - {about[0].lower()}{about[1:].rstrip('.')}")),
        *(".SH SYNOPSIS", ".B enclave", r"[\fIOPTIONS\fR] \fIVERB\fR [\fIARGUMENTS\fR]"),
        *(".SH OPTIONS", *_filled("Every verb takes these too."), *_options(root, ctx)),
        *(".SH VERBS", *_verbs(root, ctx)),
        *(".SH EXIT STATUS", *_statuses(exit_statuses)),
        *(".SH ENVIRONMENT", *_items(ENVIRONMENT)),
        *(".SH FILES", *_items(FILES)),
        *(".SH SEE ALSO", r".BR qemu\-system\-x86_64 (1)"),
    ]
    return "\n".join(lines) + "\n"


def _verbs(group: click.Group, ctx: click.Context) -> Iterator[str]:
    root = ctx.find_root()
    common = {name for option in root.command.get_params(root) for name in option.opts}
    for name in group.list_commands(ctx):
        verb = group.commands[name]
        inner = click.Context(verb, info_name=name, parent=ctx)
        if isinstance(verb, click.Group):
            yield from _verbs(verb, inner)
            continue
        yield f'.SS "{_text(" ".join([inner.command_path, *verb.collect_usage_pieces(inner)]))}"'
        yield from _paragraphs(verb.help or "")
        yield from _options(verb, inner, common)


def _options(command: click.Command, ctx: click.Context, but: Collection[str] = ()) -> Iterator[str]:
    for param in command.get_params(ctx):
        record = param.get_help_record(ctx)
        if record and isinstance(param, click.Option) and not set(param.opts) & set(but):
            yield from _item(*record)


def _statuses(text: str) -> Iterator[str]:
    for line in text.splitlines():
        found = re.match(r"\s+(\d+)  (.*)", line)
        if found:
            yield from _item(found[1], found[2])
        elif line.strip() not in ("", "\b", "Exit statuses:"):
            yield from (".PP", *_filled(line))


def _items(items: dict[str, str]) -> Iterator[str]:
    for name, said in items.items():
        yield from _item(name, said)


def _item(name: str, said: str) -> Iterator[str]:
    yield from (".TP", rf"\fB{_text(name)}\fR", *(_filled(said) or [r"\&"]))


def _paragraphs(text: str) -> Iterator[str]:
    """The first begins right after its heading."""
    for index, paragraph in enumerate(cleandoc(text).split("\n\n")):
        yield from (*([".PP"] if index else []), *_filled(paragraph.replace("\b", "")))


def _filled(text: str) -> list[str]:
    """Lines that are short enough for whoever reads the source."""
    words = " ".join(text.split())
    return [_text(line) for line in wrap(words, LINE_MAX, break_long_words=False, break_on_hyphens=False)]


def _text(text: str) -> str:
    """Nothing in it is taken for a request or an escape; its hyphens can be pasted into a shell."""
    escaped = text.replace("\\", r"\e").replace("-", r"\-").replace('"', r"\(dq")
    return rf"\&{escaped}" if escaped.startswith((".", "'")) else escaped
