"""One reference page a command, made from its own `--help` whenever the site is built."""

from __future__ import annotations

from collections.abc import Iterator

import click
from vitprof.cli.command_list import SECTIONS
from vitprof.cli.main import vitprof

FOLDER = "reference/commands"
WIDTH = 100


def command_pages() -> dict[str, str]:
    """Return the Markdown of the overview and of every command, by its path in docs/."""
    pages = {f"{FOLDER}/index.md": _overview()}
    for commands in SECTIONS.values():
        for name in commands:
            pages[f"{FOLDER}/{name}.md"] = _page(name)
    return pages


def command_nav() -> list[dict[str, object]]:
    """Return the navigation below "Commands": an overview, and the sections of the help."""
    nav: list[dict[str, object]] = [{"All commands": f"{FOLDER}/index.md"}]
    for section, commands in SECTIONS.items():
        nav.append({section: [{name: f"{FOLDER}/{name}.md"} for name in commands]})
    return nav


def _overview() -> str:
    root = _context("vitprof", vitprof)
    lines = [
        "# Commands",
        "",
        "These pages are printed by `vitprof COMMAND --help` when the site is built.",
        "",
        "```text",
        root.get_help(),
        "```",
    ]
    for section, commands in SECTIONS.items():
        lines += ["", f"## {section}", "", "| command | does |", "|---|---|"]
        lines += [f"| [`{name}`]({name}.md) | {each.summary} |" for name, each in commands.items()]
    return "\n".join(lines) + "\n"


def _page(name: str) -> str:
    command = vitprof.get_command(click.Context(vitprof), name)
    assert command is not None
    lines = [f"# vitprof {name}"]
    for title, context in _with_subcommands(f"vitprof {name}", command):
        if title != f"vitprof {name}":
            lines += ["", f"## {title}"]
        lines += ["", "```text", context.get_help(), "```"]
    return "\n".join(lines) + "\n"


def _with_subcommands(title: str, command: click.Command) -> Iterator[tuple[str, click.Context]]:
    yield title, _context(title, command)
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from _with_subcommands(f"{title} {name}", below)


def _context(title: str, command: click.Command) -> click.Context:
    """Return a context that words help as a terminal of a fixed width does."""
    settings = {**command.context_settings, "help_option_names": ["-h", "--help"]}
    return click.Context(
        command,
        info_name=title,
        terminal_width=WIDTH,
        max_content_width=WIDTH,
        color=False,
        **{k: v for k, v in settings.items() if k == "help_option_names"},
    )
