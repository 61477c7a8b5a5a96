"""`vitprof models`: the architectures known by name."""

from __future__ import annotations

import click

from ..output import giga, json_option, print_json, print_table


@click.command(epilog="Example: vitprof models  |  vitprof models --model deit-tiny --json")
@click.option("--model", help="Print this one's spec as JSON: a start for a file of your own.")
@json_option
def models(model: str | None, as_json: bool) -> int:
    """List the models known by name, with MACs and parameters."""
    from ...models import create_spec, spec_names

    if model:
        click.echo(create_spec(model).to_json())
        return 0
    specs = [create_spec(name) for name in spec_names()]
    if as_json:
        print_json(
            {
                "models": [
                    {"model": spec.name, "macs": spec.macs, "params": spec.params} for spec in specs
                ]
            }
        )
        return 0
    print_table(
        ("model", "GMACs", "M params", "blocks"),
        [(s.name, giga(s.macs), f"{s.params / 1e6:.3g}", str(len(s.blocks()))) for s in specs],
    )
    return 0
