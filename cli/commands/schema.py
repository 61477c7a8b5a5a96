"""`vitprof schema`: the JSON Schema of what a command prints, or of a table's file."""

from __future__ import annotations

import json

import click

from ..output import print_table, say


@click.command(
    epilog="Example: vitprof schema predict  |  vitprof schema table info  |  "
    "vitprof schema table-header"
)
@click.argument("name", nargs=-1, metavar="[COMMAND]")
def schema(name: tuple[str, ...]) -> int:
    """Print the JSON Schema of a command's JSON output, or of a table's header and rows.

    Without a name, list all schemas.
    """
    from ...verbs.schema import schema as verb
    from ...verbs.schema import schema_names

    if name:
        say(json.dumps(verb("-".join(name)), indent=2, ensure_ascii=False))
        return 0
    names = schema_names()
    print_table(
        ("name", "describes"), [(one, verb(one)["title"]) for one in names], text=["describes"]
    )
    return 0
