from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vitprof import quantities
from vitprof.errors import UserError


@pytest.mark.parametrize(
    ("of", "text", "value"),
    [
        (quantities.latency_ms, "5", 5),
        (quantities.latency_ms, "5ms", 5),
        (quantities.latency_ms, " 5 ms ", 5),
        (quantities.latency_ms, "500us", 0.5),
        (quantities.latency_ms, "0.01s", 10),
        (quantities.latency_ms, 2.5, 2.5),
        (quantities.target_of, "0.5x", (0.5, True)),
        (quantities.target_of, "5ms", (5, False)),
        (quantities.target_of, 7, (7, False)),
        (quantities.seconds, "90", 90),
        (quantities.seconds, "2m", 120),
        (quantities.seconds, "1.5h", 5400),
        (quantities.share, "0.8", 0.8),
        (quantities.share, "80%", 0.8),
        (quantities.share, "80", 0.8),
        (quantities.share, 1, 1),
        (quantities.count, "5.7M", 5.7e6),
        (quantities.count, "1.3G", 1.3e9),
        (quantities.bytes_of, "64MB", 64e6),
        (quantities.bytes_of, "1MiB", 2**20),
    ],
)
def test_a_quantity_is_read(of: Callable, text: object, value: object) -> None:
    assert of(text) == pytest.approx(value)


@pytest.mark.parametrize(
    "of",
    [
        quantities.latency_ms,
        quantities.target_of,
        quantities.seconds,
        quantities.share,
        quantities.count,
        quantities.bytes_of,
    ],
)
@pytest.mark.parametrize("text", ["", "x", "5 parsecs", "nan", "inf", "-1", "1e999", "5ms5", True])
def test_what_is_no_quantity_is_refused(of: Callable, text: object, refused: Callable) -> None:
    with refused("write it as"):
        of(text)


@pytest.mark.parametrize(
    "of", [quantities.latency_ms, quantities.target_of, quantities.seconds, quantities.count]
)
def test_nothing_takes_zero(of: Callable, refused: Callable) -> None:
    with refused("above 0"):
        of("0")


@given(st.floats(min_value=1e-6, max_value=1e6))
def test_a_number_means_what_its_text_means(value: float) -> None:
    assert quantities.latency_ms(value) == quantities.latency_ms(repr(value))
    assert quantities.seconds(value) == quantities.seconds(f"{value!r}s")


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    for of in (quantities.latency_ms, quantities.target_of, quantities.share, quantities.bytes_of):
        try:
            of(text)
        except UserError as error:
            assert "\n" not in str(error)
