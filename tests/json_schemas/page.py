"""docs/json.md's table of each command's keys, made of the schemas.

    python tests/json_schemas/page.py

writes it again into the page, after a schema has changed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vitprof.verbs.schema import schema, schema_names

PAGE = Path(__file__).parents[2] / "docs" / "json.md"
BEGIN = "<!-- The rest is made of the schemas: python tests/json_schemas/page.py -->"
# Parts that several objects have, told once.
PARTS = ("setting", "assessment", "facts", "errors", "drift", "agreement")


def rendered() -> str:
    """Return a line a command, and one a part that several have, as Markdown."""
    defs: dict[str, Any] = {}
    lines = []
    for name in schema_names():
        made = schema(name)
        defs |= {part: made["$defs"][part] for part in PARTS if part in made.get("$defs", {})}
        if "anyOf" in made or name == "table-row":
            continue
        command, _, of = made["title"].removeprefix("vitprof ").partition(" --json")
        title = f"`{command}`{of}" if made["title"].startswith("vitprof ") else of or command
        lines.append((title, keys_of(made, made.get("$defs", {}))))
    lines += [(f"every `{part}`", keys_of(defs[part], defs)) for part in PARTS]
    rows = [f"| {title} | {keys} |" for title, keys in lines]
    return "\n".join([BEGIN, "", "| command | keys |", "|---|---|", *rows]) + "\n"


def keys_of(made: dict[str, Any], defs: dict[str, Any]) -> str:
    """Return the keys with commas between; those of an inner object in parentheses behind it."""
    required = made.get("required", ())
    found = []
    for name, each in made["properties"].items():
        inner = within(each, defs)
        more = f" ({keys_of(inner, defs)})" if inner is not None else ""
        found.append(f"`{name}`{'' if name in required else '?'}{more}")
    return ", ".join(found)


def within(each: dict[str, Any], defs: dict[str, Any]) -> dict[str, Any] | None:
    """Return the object that a value is, or holds, if its keys are known and not distinguished."""
    if "$ref" in each:
        part = each["$ref"].rpartition("/")[2]
        return None if part in PARTS else within(defs[part], defs)
    if "properties" in each:
        return each
    inside = [each.get("items"), each.get("additionalProperties"), *each.get("anyOf", ())]
    found = (within(one, defs) for one in inside if isinstance(one, dict))
    return next((one for one in found if one is not None), None)


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8").partition(BEGIN)[0]
    PAGE.write_text(text.rstrip() + "\n\n" + rendered(), encoding="utf-8")
