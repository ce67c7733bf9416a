# SPDX-License-Identifier: Apache-2.0
"""The verbs that tell about the command line itself: `enclave completion` and `enclave man`."""

import click

INSTALL = {
    "bash": "~/.local/share/bash-completion/completions/enclave",
    "zsh": "~/.zfunc/_enclave, with fpath+=~/.zfunc before compinit in ~/.zshrc",
    "fish": "~/.config/fish/completions/enclave.fish",
}


@click.command()
@click.argument("shell", type=click.Choice(sorted(INSTALL)))
def completion(shell: str) -> None:
    """Print the script that completes verbs, options, partitions, enclaves and specs in a shell.

    For the shell at hand: eval "$(enclave completion bash)"; in fish, enclave completion fish | source.
    """
    from click.shell_completion import get_completion_class

    root = click.get_current_context().find_root().command
    kind = get_completion_class(shell)
    assert kind is not None, shell
    # The script first: zsh looks at its first line.
    click.echo(kind(root, {}, "enclave", "_ENCLAVE_COMPLETE").source())
    click.echo(f"# To have it always: enclave completion {shell} >FILE, where FILE is")
    click.echo(f"#   {INSTALL[shell]}")


@click.command()
def man() -> None:
    """Print the manual page: enclave man >enclave.1; man ./enclave.1."""
    from datetime import date
    from importlib.metadata import version

    from orchestrator.man_page import man_page

    root = click.get_current_context().find_root().command
    assert isinstance(root, click.Group)
    click.echo(man_page(root, version("enclave"), date.today(), root.epilog or ""), nl=False)
