"""`vitprof models`: the architectures known by name."""

from __future__ import annotations

import click

from ..output import giga, json_option, print_json, print_table, say


@click.command(
    epilog="Example: vitprof models  |  vitprof models --search vit_small  |  "
    "vitprof models --model deit-tiny --json"
)
@click.option("--model", help="Print the spec of this model as JSON, to start a file of your own.")
@click.option(
    "--search",
    help="List the names that contain this, including timm's; with a dot, also their tags.",
)
@json_option
def models(model: str | None, search: str | None, as_json: bool) -> int:
    """List the models known by name, with MACs and parameters.

    timm's names, which are hundreds, are listed only with --search.
    """
    from ...models import create_spec, spec_names
    from ...models.matching import Matches, matching_models

    if model:
        say(create_spec(model).to_json())
        return 0
    found = matching_models(search) if search else Matches(spec_names(), {})
    specs = [create_spec(name) for name in found.names]
    if as_json:
        listed = [{"model": spec.name, "macs": spec.macs, "params": spec.params} for spec in specs]
        lacking = [{"model": name, "lacks": lacks} for name, lacks in found.lacking.items()]
        print_json({"models": listed} | ({"lacking": lacking} if search else {}))
        return 0
    if specs:
        print_table(
            ("model", "GMACs", "M params", "blocks"),
            [(s.name, giga(s.macs), f"{s.params / 1e6:.3g}", str(len(s.blocks()))) for s in specs],
        )
    for name, lacks in found.lacking.items():
        say(f"not as blocks: {name} {lacks}")
    return 0
