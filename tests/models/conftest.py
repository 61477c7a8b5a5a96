"""What several tests of the models need: small specs of any dims, and the check of an error."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest
from hypothesis import strategies as st
from vitprof.errors import UserError
from vitprof.models import ViTLayer, ViTSpec

_NAMES = st.text(min_size=1, max_size=20).filter(str.isprintable)


def _layers() -> st.SearchStrategy[ViTLayer]:
    dims = st.integers(1, 9)
    return st.builds(ViTLayer, st.integers(0, 4), dims, dims, st.integers(0, 17))


@st.composite
def _specs(draw: st.DrawFn) -> ViTSpec:
    patch = draw(st.integers(1, 5))
    distilled = draw(st.booleans())
    return ViTSpec(
        name=draw(_NAMES),
        embed=draw(st.integers(1, 25)),
        layers=tuple(draw(st.lists(_layers(), min_size=1, max_size=3))),
        patch=patch,
        resolution=patch * draw(st.integers(1, 4)),
        in_channels=draw(st.integers(1, 4)),
        classes=draw(st.integers(1, 7)),
        distilled=distilled,
        distillation_head=draw(st.booleans()) if distilled else None,
        norm_eps=draw(st.none() | st.floats(1e-12, 0.1)),
        attention_scale_dim=draw(st.none() | st.integers(1, 64)),
    )


@pytest.fixture(scope="session")
def any_vits() -> st.SearchStrategy[ViTSpec]:
    return _specs()


@pytest.fixture(scope="session")
def refused() -> Callable[..., contextlib.AbstractContextManager[None]]:
    """Expect a UserError of one sentence that holds all the given words."""

    @contextlib.contextmanager
    def expect(*words: str) -> Iterator[None]:
        with pytest.raises(UserError) as caught:
            yield
        message = str(caught.value)
        assert "\n" not in message
        assert message.endswith(".")
        assert len(message) < 500
        for word in words:
            assert word in message, f"{word!r} is not in: {message}"

    return expect
