"""`vitprof doctor`: what is installed, what is missing for what, and what will hurt measuring."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import click

from ..output import json_option, note, print_json, say_lines

if TYPE_CHECKING:
    from ...verbs.doctor import Diagnosis

WIDTH = 80


@click.command(epilog="Example: vitprof doctor --quick")
@click.option("--quick", is_flag=True, help="Skip the test of the machine's speed (3 seconds).")
@json_option
def doctor(quick: bool, as_json: bool) -> int:
    """Show what is installed, what is missing, and what disturbs measuring."""
    from ...verbs.doctor import doctor as examine

    if not quick and not as_json:
        note("testing the machine's speed for 3 seconds ...")
    found = examine(quick=quick)
    if as_json:
        print_json(found.report())
    else:
        say_lines("\n".join(lines(found)))
    return int(found.is_doubtful)


def lines(found: Diagnosis) -> list[str]:
    """Return what is printed, at most 80 columns wide."""
    facts = found.machine
    who = f"vitprof {found.vitprof}, Python {facts['python']}, {facts['os'] or facts['kernel']}"
    machine = [str(facts["cpu"] or facts["architecture"]), f"{facts['logical_cores']} cores"]
    if facts["memory_gib"]:
        machine.append(f"{facts['memory_gib']} GiB")
    return [
        *_wrapped(who),
        *_wrapped(", ".join(machine)),
        "",
        *_of_runtimes(found),
        "",
        *_wrapped(f"measured here: {', '.join(found.devices) or 'no device'}"),
        *_of_missing(found),
        "",
        *_of_speed(found),
        *_of_hazards(found),
        found.title,
    ]


def _of_runtimes(found: Diagnosis) -> list[str]:
    from ...verbs.doctor import cause_and_remedy

    widest = max(len(one.name) for one in found.runtimes)
    lines = [f"{'backend':{widest}}  {'version':12}  measures  builds"]
    for one in found.runtimes:
        builds = "-" if not one.bundled else "no" if one.why_no_build else "yes"
        measures = "no" if one.why_not else "yes"
        lines.append(f"{one.name:{widest}}  {one.version or '-':12}  {measures:8}  {builds}")
    for one in found.runtimes:
        reasons = [one.why_not, one.why_no_build if one.bundled else None]
        for reason in dict.fromkeys(reason for reason in reasons if reason):
            cause, remedy = cause_and_remedy(reason)
            lines += _wrapped(f"{one.name}: {cause}" + (f"; {remedy}" if remedy else ""), "  ")
    return lines


def _of_missing(found: Diagnosis) -> list[str]:
    from ...verbs.doctor import APART

    if not found.missing:
        return _wrapped(f"every library is there. {_sentence(APART)}")
    lines = ["not installed:"]
    by_extra: dict[str, list[str]] = {}
    for one in found.missing:
        by_extra.setdefault(f"for {one.needed_for}: {one.remedy}", []).append(one.library)
    for what, libraries in by_extra.items():
        lines += _wrapped(f"- {', '.join(libraries)}, {what}", "  ")
    return [*lines, *_wrapped(_sentence(APART))]


def _of_speed(found: Diagnosis) -> list[str]:
    speed = found.speed
    if speed is None:
        return []
    return [
        *_wrapped(
            f"speed: a fixed loop takes {speed.p10_ms:.2f} to {speed.p90_ms:.2f} ms (10th to 90th "
            f"percentile of {speed.runs} runs, {speed.wander:.0%} apart)"
        )
    ]


def _of_hazards(found: Diagnosis) -> list[str]:
    from ...verbs.doctor import cause_and_remedy

    lines = []
    for hazard in found.hazards:
        cause, remedy = cause_and_remedy(hazard)
        lines += _wrapped(f"- {cause}", "  ")
        lines += textwrap.wrap(
            f"→ {remedy}",
            WIDTH,
            initial_indent="  ",
            subsequent_indent="    ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    return lines


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def _wrapped(text: str, indent: str = "") -> list[str]:
    """Wrap at 80 columns; lines behind the first are indented."""
    return textwrap.wrap(
        text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
