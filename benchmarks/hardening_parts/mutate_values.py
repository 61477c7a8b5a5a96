r"""Files of values (JSON, TOML, YAML, CSV, lines) whose values are replaced by hostile ones.

The hostile values are texts as they stand in a file, so that those are written which no library
writes: `1e400`, a number of 5,000 digits, `\ud800`, a key that appears twice.
"""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Callable
from typing import Any

NUMBERS = (
    *("0", "-1", "1", "-0.0", "0.5", "1e400", "-1e400", "5e-324", "1e308", "1e-308"),
    *("2147483648", "9223372036854775808", "-9223372036854775808", "18446744073709551615"),
    *("1" + "0" * 400, "9" * 5000, "NaN", "Infinity", "-Infinity", "nan", "inf", "1_000", "0x10"),
    *("1000000000", "65536", "65537", "4294967297", "1e9", "3.0000000001"),
)
WORDS = (
    *("", " ", "a" * 300, "x" * 100_000, "../../outside", "/etc/passwd", "C:\\x", "-", "--help"),
    *("\x1b[2J\x1b]0;title\x07", "line\nFAKE: 1", "\u202egnp.exe", "\ufeff", "\u0663", "né", "🙂"),
    *("=cmd|'/C calc'!A0", "<script>alert(1)</script>", "</script><svg onload=x>", "\\input{x}"),
    *("$\\frac{1}{$", "%s%n{0}", "{x.__class__}", "__class__", "None", "true", "null", "1.5"),
    *("a|b", "a,b", '"', "'", "`", "#", "mlp", "attention", "deit-small", "cpu", "hf:x/y"),
)
TEXTS = (*(json.dumps(word) for word in WORDS), '"\\ud800"', '"\\u0000"', '"\\u001b[31m"')
SHAPES = ("[]", "{}", "[[]]", "[null]", "[1, [2]]", '{"a": {"b": 1}}', "[1e400]", "[-1, 0]", "true")
NESTED = ("[" * 70 + "]" * 70, "[" * 100_000, '{"a":' * 3000 + "1" + "}" * 3000)
JSON_VALUES = (*NUMBERS, *TEXTS, *SHAPES, *NESTED, "null", "false")
TOML_VALUES = (
    *(*NUMBERS, *TEXTS, "[]", "{}", "[[]]", "true", "1979-05-27T07:32:00Z", "[1, 'a']"),
    *("{a = 1}", "[" * 70 + "]" * 70, "'''x", '"""\n\x1b"""', "a.b", "1e9", "{a = {b = 1}}"),
)
TOML_LINES = (
    *("[x]", "[[x]]", "[a.b.c]", "unknown = 1", '"a\\nFAKE" = 1', "__proto__ = 1", "= 1", "x"),
    *(".".join("a" * 300) + " = 1", "[" + ".".join("b" * 300) + "]", "\x00", '"" = 2'),
)
YAML_VALUES = (
    *(*NUMBERS, *TEXTS, *SHAPES, "!!python/object/apply:os.system ['true']", "&a [*a]", "*a"),
    *("!!int ''", "!!bool x", "!!timestamp x", "!!map [x]", "!!binary x", "? [a, b]", "2001-13-45"),
    *("|\n  x", ">", "{a: b}", "{? [a] : b}", "<<", '"\\UFFFFFFFF"', "1:30", "0o17", "~", "yes"),
)


class _Text(str):
    """A value that is written as it stands."""


class _Pairs(list[tuple[str, Any]]):
    """An object of JSON as its pairs, so that a key can stand in it twice."""


def mutated_json(data: bytes, rng: random.Random) -> bytes:
    """Return a JSON text with one to four hostile values, keys, or doubled and missing fields."""
    tree = json.loads(data, object_pairs_hook=_Pairs)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        tree = _changed(tree, rng)
    return _written(tree).encode("utf-8", "surrogatepass")


def mutated_json_lines(data: bytes, rng: random.Random) -> bytes:
    """Do the same with one line of many."""
    lines = data.splitlines()
    at = rng.randrange(len(lines))
    lines[at] = mutated_json(lines[at], rng)
    return b"\n".join(lines) + b"\n"


def mutated_toml(data: bytes, rng: random.Random) -> bytes:
    """Return a TOML text with hostile values, keys and tables, lines doubled and missing."""
    return _mutated_lines(data, rng, "=", " = ", TOML_VALUES, TOML_LINES)


def mutated_yaml(data: bytes, rng: random.Random) -> bytes:
    """Return a YAML text with hostile values, tags, aliases and keys."""
    lines = ("a: *x", "? [a, b]\n: 1", "- x", "\tx: 1", "%YAML 9.9", "---", "&x a: 1", "<<: {}")
    return _mutated_lines(data, rng, ":", ": ", YAML_VALUES, lines)


def mutated_lines(data: bytes, rng: random.Random) -> bytes:
    """Return a text of words with hostile words and lines."""
    lines = ("", " ", "\x1b[2J", "x" * 100_000, "a\tb\tc\td", "\x00", '"', "=1+1")
    return _mutated_lines(data, rng, "\t", "\t", WORDS, lines)


def _mutated_lines(
    data: bytes,
    rng: random.Random,
    sign: str,
    between: str,
    values: tuple[str, ...],
    others: tuple[str, ...],
) -> bytes:
    lines = data.decode().splitlines()
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(len(lines)) if lines else 0
        kind = rng.random()
        if kind < 0.6 and lines:
            with_sign = [n for n, line in enumerate(lines) if sign in line] or [at]
            at = rng.choice(with_sign)
            name = lines[at].partition(sign)[0].rstrip()
            lines[at] = f"{name}{between}{rng.choice(values)}"
        elif kind < 0.75:
            lines.insert(at, rng.choice(others))
        elif kind < 0.9 and lines:
            lines.insert(at, lines[at])
        elif lines:
            del lines[at]
    return ("\n".join(lines) + "\n").encode("utf-8", "surrogatepass")


def mutated_csv(data: bytes, rng: random.Random) -> bytes:
    """Return a CSV with hostile cells, columns and rows; a comment's JSON is mutated as JSON."""
    text = data.decode()
    comments = [line for line in text.splitlines() if line.startswith("#")]
    body = [line for line in text.splitlines() if not line.startswith("#")]
    if comments and rng.random() < 0.4:
        at = rng.randrange(len(comments))
        inner = comments[at].removeprefix("# ")
        if inner.startswith("{"):
            comments[at] = "# " + mutated_json(inner.encode(), rng).decode("utf-8", "replace")
        else:
            comments[at] = rng.choice(("", "#", "# vitprof-table: 2", "# x", "# " + "{" * 70))
    else:
        body = _changed_rows(body, rng)
    return ("\n".join((*comments, *body)) + "\n").encode("utf-8", "surrogatepass")


def _changed_rows(lines: list[str], rng: random.Random) -> list[str]:
    rows = list(csv.reader(lines))
    for _ in range(rng.choice((1, 1, 2, 5))):
        at = rng.randrange(len(rows))
        column = rng.randrange(len(rows[at])) if rows[at] else 0
        kind = rng.random()
        if kind < 0.6 and rows[at]:
            rows[at][column] = rng.choice((*NUMBERS, *WORDS))
        elif kind < 0.7:
            rows.insert(at, list(rows[at]))
        elif kind < 0.8 and len(rows) > 1:
            del rows[at]
        elif kind < 0.87:
            for row in rows:
                del row[column : column + 1]
        elif kind < 0.94:
            for row in rows:
                row[column:column] = row[column : column + 1]
        else:
            rows[at] += ["9"] * rng.choice((1, 3, 500))
        rows = rows or [[]]
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows(rows)
    return written.getvalue().splitlines()


def _changed(tree: Any, rng: random.Random) -> Any:
    """Change one value of the tree, any with the same chance."""
    places: list[Callable[[Any], None]] = []
    holders: list[Any] = []

    def walk(value: Any) -> None:
        if not isinstance(value, list):
            return
        holders.append(value)
        for n, item in enumerate(value):
            if isinstance(value, _Pairs):
                places.append(lambda new, v=value, n=n, key=item[0]: v.__setitem__(n, (key, new)))
                walk(item[1])
            else:
                places.append(lambda new, v=value, n=n: v.__setitem__(n, new))
                walk(item)

    walk(tree)
    kind = rng.random()
    holder = rng.choice(holders) if holders else None
    if not places or kind < 0.03:
        return _Text(rng.choice(JSON_VALUES))
    if kind < 0.7:
        rng.choice(places)(_Text(rng.choice(JSON_VALUES)))
    elif kind < 0.8 and holder:
        del holder[rng.randrange(len(holder))]
    elif kind < 0.9 and holder:
        holder.append(rng.choice(holder))  # a list longer by one, or a key that appears twice
    elif isinstance(holder, _Pairs) and holder and kind < 0.95:
        at = rng.randrange(len(holder))
        holder[at] = (_Text(rng.choice(TEXTS)), holder[at][1])
    elif isinstance(holder, _Pairs):
        holder.append((_Text(rng.choice(TEXTS)), _Text(rng.choice(JSON_VALUES))))
    return tree


def _written(value: Any) -> str:
    if isinstance(value, _Text):
        return str(value)
    if isinstance(value, _Pairs):
        inner = (
            f"{key if isinstance(key, _Text) else json.dumps(key)}: {_written(item)}"
            for key, item in value
        )
        return "{" + ", ".join(inner) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_written(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)
