"""What is not a model, yet is given as one, is told what it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from vitprof import UserError, create_spec


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".bin", ".ckpt", ".safetensors"])
def test_a_file_of_weights_is_told_what_to_give_beside_it(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"deit_small{suffix}"
    path.write_bytes(b"\0" * 64)
    with pytest.raises(UserError, match="holds weights, which do not say what model") as caught:
        create_spec(str(path))
    assert "`checkpoint`" in str(caught.value)


@pytest.mark.parametrize("name", ["digits", "convnext_tiny", "resnet50"])
def test_a_name_that_is_near_none_gets_no_guess(name: str) -> None:
    with pytest.raises(UserError, match="unknown model") as caught:
        create_spec(name)
    assert "did you mean" not in str(caught.value)
    assert "timm:NAME" in str(caught.value)


def test_a_name_that_is_near_one_gets_it() -> None:
    with pytest.raises(UserError, match="did you mean 'deit-small'"):
        create_spec("deit-smal")
