"""Parse a printed command line: the shell's part here, vitprof's by click, running nothing."""

from __future__ import annotations

import contextlib
import re
import shlex
from dataclasses import dataclass

import click
from vitprof.cli.main import vitprof

WORDS_OF_A_SHELL = frozenset("|;&<>()")


@dataclass(frozen=True)
class Shelled:
    """One program with its words; `to` is the file that its output goes to."""

    words: tuple[str, ...]
    to: str | None = None

    @property
    def program(self) -> str:
        return self.words[0].rpartition("/")[2]

    @property
    def arguments(self) -> list[str] | None:
        """Return vitprof's own arguments, None where the program is not vitprof."""
        if self.program == "vitprof":
            return list(self.words[1:])
        for place, pair in enumerate(zip(self.words, self.words[1:], strict=False)):
            if pair == ("-m", "vitprof"):
                return list(self.words[place + 2 :])
        return None


def shelled(text: str) -> Shelled:
    """Split a line as a shell does, and return its first program.

    A pipe's other programs, variables set for one command, comments and a closing `...`, which
    stands for more of the same, are left out. `eval "$(program)"` is the program.
    """
    inner = re.fullmatch(r'eval "\$\((.*)\)"', text.partition("  #")[0].strip())
    lexer = shlex.shlex(inner[1] if inner else text, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    to = None
    tokens = list(lexer)
    for place, token in enumerate(tokens):
        if set(token) <= WORDS_OF_A_SHELL:
            to = tokens[place + 1] if token == ">" else None
            break
        if words or not re.match(r"[A-Z_]+=", token):
            words.append(token)
    if words[-1] == "...":
        words.pop()
    return Shelled(tuple(words), to)


def parse(arguments: list[str]) -> click.Context:
    """Let click parse vitprof's arguments: each option exists, each value is one that it takes.

    Raises click.UsageError. Nothing runs, and no file need exist.
    """
    command: click.Command = vitprof
    # Options such as --memory-limit and --wait hold until their context is closed.
    with contextlib.ExitStack() as opened:
        context = command.make_context("vitprof", list(arguments))
        opened.callback(context.close)
        while isinstance(command, click.Group):
            rest = [*getattr(context, "_protected_args", ()), *context.args]  # none from click 9 on
            if not rest:
                return context
            name, found, rest = command.resolve_command(context, rest)
            assert found is not None
            command = found
            context = command.make_context(name, rest, parent=context)
            opened.callback(context.close)
        return context


def unknown_words(text: str) -> list[str]:
    """Return what a command named in a sentence has not: a command, or an option.

    Such a command may lack values and places, as in `vitprof predict --max-latency`.
    """
    words = text.replace("…", " ").split()[1:]
    command: click.Command = vitprof
    context = click.Context(command)
    unknown = []
    for word in words:
        if isinstance(command, click.Group) and re.fullmatch(r"[a-z-]+", word) and word[0] != "-":
            found = command.get_command(context, word)
            if found is None:
                return [word]
            command = found
            context = click.Context(command, parent=context)
        elif word.startswith("--"):
            known = {name for option in command.params for name in option.opts} | {"--help"}
            known |= {name for option in command.params for name in option.secondary_opts}
            option = word.partition("=")[0].rstrip(".,;:)")
            unknown += [option] if option not in known else []
    return unknown
