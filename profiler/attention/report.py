"""Fused against plain attention as CSV, as the tables of the paper, and in words."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence

from .timing import Compared


def to_csv(results: Sequence[Compared]) -> str:
    """Return a line a case with every figure: ms, bytes, ratios; empty where there is none."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(results[0].as_dict()), lineterminator="\n")
    writer.writeheader()
    for one in results:
        values = one.as_dict()
        writer.writerow(
            {
                key: ""
                if value is None or (isinstance(value, float) and math.isnan(value))
                else value
                for key, value in values.items()
            }
        )
    return text.getvalue()


def to_markdown(results: Sequence[Compared], device: str) -> str:
    """Return the layout of tables I and II of the paper (Efficient-ViT), a table a dtype.

    A row a batch (of whole models) or a length (of blocks); training and inference side by side.
    """
    found = [f"Fused against plain attention on {device}, medians in ms.\n"]
    for what, title in (("model", "Batch"), ("block", "Tokens")):
        for dtype in dict.fromkeys(one.case.dtype for one in results):
            chosen = [o for o in results if o.case.what == what and o.case.dtype == dtype]
            if chosen:
                found.append(_table(chosen, what, dtype, title))
    return "\n".join(found)


def _table(results: Sequence[Compared], what: str, dtype: str, title: str) -> str:
    name = "The whole model" if what == "model" else "One attention block"
    lines = [
        f"\n{name}, {dtype}:\n",
        f"| {title} | training: fused | plain | inference: fused | plain | training speed-up | "
        "inference speed-up |",
        "|---:" * 7 + "|",
    ]
    of_row: dict[tuple[int, int], dict[str, Compared]] = {}
    for one in results:
        of_row.setdefault((one.case.batch, one.case.tokens), {})[one.case.mode] = one
    several = len({batch for batch, _ in of_row}) > 1 and what == "block"
    for (batch, tokens), modes in of_row.items():
        first = str(batch if what == "model" else tokens)
        first += f" (batch {batch})" if several else ""
        training, inference = modes.get("training"), modes.get("inference")
        lines.append(
            f"| {first} | {_ms(training, 'fused_ms')} | {_ms(training, 'plain_ms')} | "
            f"{_ms(inference, 'fused_ms')} | {_ms(inference, 'plain_ms')} | {_ratio(training)} | "
            f"{_ratio(inference)} |"
        )
    return "\n".join(lines) + "\n"


def _ms(one: Compared | None, field: str) -> str:
    if one is None:
        return "-"
    return "failed" if one.error else f"{getattr(one, field):.4g}"


def _ratio(one: Compared | None) -> str:
    if one is None or one.error:
        return "-"
    return f"{one.speedup:.2f} ({one.low:.2f} to {one.high:.2f})"


def where_it_pays(results: Sequence[Compared]) -> list[str]:
    """Return for each dtype and mode from which length on fusing is faster beyond doubt.

    Beyond doubt: the whole interval of the ratio lies above 1, there and at all greater lengths.
    """
    found = []
    series: dict[tuple[str, str, int], list[Compared]] = {}
    for one in results:
        if one.case.what == "block" and not one.error:
            key = (one.case.dtype, one.case.mode, one.case.batch)
            series.setdefault(key, []).append(one)
    for (dtype, mode, batch), of_series in series.items():
        from_on = None
        for one in sorted(of_series, key=lambda o: -o.case.tokens):
            if one.low <= 1:
                break
            from_on = one
        where = f"{mode} in {dtype}, batch {batch}"
        longest = max(of_series, key=lambda o: o.case.tokens)
        found.append(
            f"{where}: fusing pays from {from_on.case.tokens} tokens on ({from_on.speedup:.2f}x; "
            f"{longest.speedup:.2f}x at {longest.case.tokens})."
            if from_on is not None
            else f"{where}: fusing does not pay beyond doubt up to {longest.case.tokens} tokens "
            f"({longest.speedup:.2f}x there)."
        )
    return found
