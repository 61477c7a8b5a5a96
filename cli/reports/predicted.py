"""A prediction for people: the latency, what it stands on, and where it goes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ...models.ops.kernel_words import kernel_in_words
from ..output import milliseconds, note, print_table, say

if TYPE_CHECKING:
    from ...tables import Prediction
    from ...tables.prediction import BlockPrediction

_OF_THE_CONSTANT = (
    "(constant) is added once per model. Below 0 it takes off what each block measured alone "
    "includes, and a model has once: the start of a run, for instance."
)
# So many kernels of a foreign model are listed.
MOST_KERNELS = 20
# A machine whose speeds lie so near each other was quiet: there is one number.
QUIET = 1.01


def print_prediction(answer: Prediction) -> None:
    """Print the latency with its interval, and tables of ops and of blocks."""
    if answer.max_latency_ms is not None:
        say(_verdict(answer))
    setting = answer.setting
    assert setting is not None, "a table's answer has its setting"
    say(
        f"{answer.model} on {setting.device} ({setting.backend}, {setting.dtype}, batch "
        f"{setting.batch}, {setting.threads} thread{'s' if setting.threads > 1 else ''}): "
        f"{milliseconds(answer.ms)} ms  {_interval(answer)}"
    )
    speeds = _other_speeds(answer)
    if speeds:
        say(f"  {speeds}.")
    say(f"  {answer.how}.")
    rows = [(op, milliseconds(ms), f"{ms / answer.ms:.1%}") for op, ms in answer.by_op.items()]
    if answer.offset_ms:
        rows.append(
            ("(constant)", milliseconds(answer.offset_ms), f"{answer.offset_ms / answer.ms:.1%}")
        )
    print_table(("op", "ms", "share"), rows)
    print_table(("block", "ms each", "ms", "share"), _blocks(answer))
    if answer.priced:
        say(f"Priced by {_priced(answer)}.")
    if answer.offset_ms:
        say(_OF_THE_CONSTANT)
    if answer.unstable_share:
        say(
            f"{answer.unstable_share:.0%} of it is read from unstable points (vitprof table info "
            "--unstable lists them)."
        )
    if answer.transferred_share:
        say(
            f"{answer.transferred_share:.0%} of it is transferred: predicted from the "
            "tables of other devices or settings, not measured."
        )
    if answer.extrapolated and not answer.priced:
        note(f"extrapolated on {', '.join(answer.extrapolated)}: a guess, not a measurement.")


def _verdict(answer: Prediction) -> str:
    """Return whether the model keeps its limit, by how much, and how sure that is."""
    limit, margin = answer.max_latency_ms, answer.margin_ms
    assert limit is not None and margin is not None, "the caller asked for a limit"
    side = "under" if margin >= 0 else "over"
    share = f"({abs(margin) / limit:.1%})"
    by = f"{milliseconds(abs(margin))} ms {share} {side} {milliseconds(limit)} ms"
    if answer.fits is None:
        left_out = len(answer.missing) + len(answer.unknown)
        return f"Cannot tell: what the table has a price for is {by}; {left_out} parts have none."
    fits = "Fits" if answer.fits else "Does not fit"
    if answer.certain:
        return f"{fits}: {by}."
    if math.isnan(answer.low_ms):
        return f"{fits}, with an unknown interval: {by}."
    end, ms = ("reaches", answer.high_ms) if answer.fits else ("begins at", answer.low_ms)
    return f"{fits}, but not for certain: {by}; the 95 % interval {end} {milliseconds(ms)} ms."


def _blocks(answer: Prediction) -> list[tuple[str, ...]]:
    """Return a line a different block; of a model of many kernels those that take longest."""
    found = list(answer.by_different_block())
    shown = found
    if answer.priced and len(found) > MOST_KERNELS:
        shown = sorted(found, key=lambda one: -one[0].ms * one[1])[:MOST_KERNELS]
    lines: list[tuple[str, ...]] = [
        (
            f"{count} x {_name(part)}" if count > 1 else _name(part),
            milliseconds(part.ms),
            milliseconds(count * part.ms),
            f"{count * part.ms / answer.ms:.1%}",
        )
        for part, count in shown
    ]
    if len(shown) < len(found):
        rest = sum(part.ms * n for part, n in found) - sum(part.ms * n for part, n in shown)
        others = f"({len(found) - len(shown)} other kernels)"
        lines.append((others, "", milliseconds(rest), f"{rest / answer.ms:.1%}"))
    return lines


def _name(part: BlockPrediction) -> str:
    block = part.block
    return kernel_in_words(block.op, block.as_dict()) if part.is_kernel else str(block)


def _priced(answer: Prediction) -> str:
    words = {
        "blocks": "blocks of the table {:.0%}",
        "kernels": "kernels inside what was measured {:.0%}",
        "nearest": "the nearest kernels {:.0%}",
    }
    shares = [words[kind].format(share) for kind, share in answer.priced.items() if share]
    unknown = len(answer.unknown) + len(answer.missing)
    return ", ".join([*shares, f"{unknown} nodes unknown" if unknown else "nothing unknown"])


def _other_speeds(answer: Prediction) -> str:
    """Return what the model takes at each speed; "" where that is the same, or not known."""
    known = {
        "undisturbed": (answer.undisturbed_ms, "undisturbed"),
        "typical": (answer.typical_ms, "at this machine's typical speed"),
        "p90": (answer.p90_ms, "at its 90th percentile"),
    }
    at = {speed: ms for speed, (ms, _) in known.items() if ms is not None}
    if answer.at is None or max(at.values(), default=0.0) <= QUIET * min(at.values(), default=1.0):
        return ""
    texts = {speed: f"{milliseconds(ms)} ms {known[speed][1]}" for speed, ms in at.items()}
    own = texts.pop(answer.at)
    return f"{own}; {', '.join(texts.values())}" if texts else own


def _interval(answer: Prediction) -> str:
    if math.isnan(answer.low_ms):
        return "(interval unknown)"
    return f"[{milliseconds(answer.low_ms)} .. {milliseconds(answer.high_ms)}]"
