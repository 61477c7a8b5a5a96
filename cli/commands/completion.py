"""`vitprof completion`: what a shell needs to complete commands, options and models."""

from __future__ import annotations

import click

SHELLS = ("bash", "zsh", "fish")
# Where each shell reads it from at its start.
INSTALL = {
    "bash": "vitprof completion bash > ~/.local/share/bash-completion/completions/vitprof",
    "zsh": 'vitprof completion zsh > "${fpath[1]}/_vitprof"',
    "fish": "vitprof completion fish > ~/.config/fish/completions/vitprof.fish",
}


@click.command(
    epilog='Example: eval "$(vitprof completion bash)"  |  ' + "  |  ".join(INSTALL.values())
)
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> int:
    """Print the script with which a shell completes vitprof's commands and options.

    Evaluate it in the shell, or write it once to the place where the shell looks for it. Names of
    models are completed too.
    """
    from click.shell_completion import get_completion_class

    group = click.get_current_context().find_root().command
    kind = get_completion_class(shell)
    assert kind is not None, "click knows each of SHELLS"
    made = kind(group, {}, "vitprof", "_VITPROF_COMPLETE")
    # Without the check of bash's version that `source` makes: it starts bash, and this may be
    # written for another machine.
    click.echo(made.source_template % made.source_vars())
    return 0
