"""`vitprof.devices`: a line a device."""

from __future__ import annotations

import vitprof


def test_every_device_says_whether_it_can_be_measured_here() -> None:
    result = vitprof.devices()
    frame = result.to_frame().set_index("name")
    assert frame.loc["cpu", "here"]
    assert result.known[0].why_not is None
    assert frame.loc["t4", "dtypes"]
    assert result.report()["devices"][0].keys() == {"name", *frame.columns}
    assert "measurable here: cpu" in repr(result)
    assert "<table" in result._repr_html_()
