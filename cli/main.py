"""`vitprof`: the group of commands, each loaded only when it is called."""

from __future__ import annotations

import difflib
import importlib
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click
from click.shell_completion import CompletionItem

from .. import __version__
from ..errors import DeviceBusyError, UserError
from ..extras import missing_extra
from ..notes import LOGGER
from ..progress import waits_are_shown
from ..shown import lines, one_line
from .command_list import COMMANDS, SECTIONS
from .examples import with_example_lines
from .exit_codes import DEVICE_BUSY, INTERRUPTED, USER_ERROR
from .options.renamed import RenamingGroup
from .options.table_and_setting import devices_option


class LazyGroup(RenamingGroup):
    """Imports a command's module when the command is named, so that --help stays instant."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name].home(cmd_name)
        made = getattr(importlib.import_module(f".commands.{module}", __package__), attribute)
        return with_example_lines(made)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the commands' names by the list, importing none of them."""
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        return [
            CompletionItem(name, help=listed.summary)
            for name, listed in COMMANDS.items()
            if name.startswith(incomplete)
        ]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise click.UsageError(f"No such command '{args[0]}'.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, listed.summary) for name, listed in commands.items()])


def _limit_memory(context: click.Context, _: click.Parameter, limit: str | None) -> None:
    """Set the variable that says it, for processes of this command too, until it ends."""
    if limit is None:
        return
    from ..untrusted.memory import VARIABLE, memory_limit

    before = os.environ.get(VARIABLE)

    def restore() -> None:
        if before is None:
            os.environ.pop(VARIABLE, None)
        else:
            os.environ[VARIABLE] = before

    context.call_on_close(restore)
    os.environ[VARIABLE] = limit
    try:
        memory_limit()
    except UserError as error:
        restore()
        raise UserError(str(error).replace(VARIABLE, "--memory-limit", 1)) from None


@click.command(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExample:\n  vitprof measure --device cpu --time 2m\n"
    "  vitprof predict lut.csv deit-small --max-latency 80ms",
)
@click.version_option(__version__, prog_name="vitprof")
@devices_option
@click.option(
    "--memory-limit",
    metavar="SIZE",
    expose_value=False,
    callback=_limit_memory,
    help="Refuse what needs more memory at once, e.g. 16GiB (default: 80 % of what is free).",
)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def vitprof(debug: bool) -> None:
    """What each block of a Vision Transformer costs on your device.

    Measure a latency table once, then ask it what any model will cost.
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit.

    0 done, 1 done but doubtful, 2 input, 75 device busy, 130 interrupted.
    """
    is_program = arguments is None
    arguments = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in arguments
    waits_are_shown.set("--json" not in arguments)
    try:
        with _notes_on_stderr(arguments), _ending_by_signals():
            code = vitprof.main(arguments, prog_name="vitprof", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        code = 0
    except UserError as error:
        _complain(one_line(error.worded(lambda name: _as_option(name, arguments))), debug)
        code = DEVICE_BUSY if isinstance(error, DeviceBusyError) else USER_ERROR
    except ModuleNotFoundError as error:
        missing = missing_extra(error)
        if missing is None:
            raise
        _complain(str(missing), debug)
        code = USER_ERROR
    except (click.exceptions.Abort, KeyboardInterrupt):
        _complain(_interrupted(arguments), debug)
        code = INTERRUPTED
    except click.ClickException as error:
        _complain(error.format_message() + _usage_hint(error), debug)
        code = error.exit_code
    except BrokenPipeError:  # the reader of our output (head, less) has gone
        sys.stderr.close()
        code = 1
    except OSError as error:
        # One that no command expects: a disk that is full, a folder that has gone.
        if error.strerror is None:
            raise
        where = "" if error.filename is None else f"{error.filename}: "
        _complain(f"{where}{error.strerror}; fix this, and run the command again.", debug)
        code = USER_ERROR
    if is_program and threading.current_thread() is threading.main_thread():
        # The work is done: an interruption while Python ends is not a traceback of its last calls.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(code if isinstance(code, int) else 0)


class _NotesHandler(logging.Handler):
    """Prints a note, with options for parameters as in errors; on the stderr of this run."""

    def __init__(self, arguments: Sequence[str]) -> None:
        super().__init__()
        self._arguments = arguments

    def emit(self, record: logging.LogRecord) -> None:
        error = UserError(record.getMessage())
        words = error.worded(lambda name: _as_option(name, self._arguments))
        click.echo(one_line(words), err=True)


@contextmanager
def _ending_by_signals() -> Iterator[None]:
    """Take SIGTERM and SIGHUP for Ctrl-C: what is done is kept, and nothing is left behind.

    A second one ends the process at once. Outside the main thread Python sets no handlers.
    """

    def interrupt(number: int, _: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        raise KeyboardInterrupt

    before = {}
    try:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGHUP):
                if signal.getsignal(number) is signal.SIG_DFL:  # nohup has it ignored
                    before[number] = signal.signal(number, interrupt)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _notes_on_stderr(arguments: Sequence[str]) -> Iterator[None]:
    """Print the messages of the logger "vitprof", information too."""
    handler, level, propagate = _NotesHandler(arguments), LOGGER.level, LOGGER.propagate
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False
    try:
        yield
    finally:
        LOGGER.removeHandler(handler)
        LOGGER.setLevel(level)
        LOGGER.propagate = propagate


def _interrupted(arguments: Sequence[str]) -> str:
    """Return what to say of an interrupted command line, and how to go on."""
    listed = next((COMMANDS[word] for word in arguments if word in COMMANDS), None)
    if listed is None or not listed.resumes:
        return "interrupted."
    return "interrupted; the same command continues it."


def _as_option(parameter: str, arguments: Sequence[str]) -> str:
    """Return how the command that was called spells a verb's parameter: `--max-latency`.

    A parameter that is not an option of it stays as Python names it.
    """
    command: click.Command | None = vitprof
    for argument in arguments:
        if isinstance(command, click.Group) and not argument.startswith("-"):
            command = command.get_command(click.Context(command), argument)
    for option in command.params if command is not None else ():
        if option.name == parameter:
            return option.opts[0] if option.opts[0].startswith("-") else parameter.upper()
    return f"`{parameter}`"


def _complain(sentence: str, debug: bool) -> None:
    if debug:
        traceback.print_exc()
    click.echo(f"vitprof: {lines(sentence)}", err=True)


def _usage_hint(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    return f" See {context.command_path} --help." if context else ""
