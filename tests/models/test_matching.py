"""Names of models that contain a text."""

import pytest
from vitprof.errors import UserError
from vitprof.models import create_spec
from vitprof.models.matching import matching_models


def test_own_and_timms_names_are_found() -> None:
    found = matching_models("tiny")
    assert {"deit-tiny", "deit_tiny_patch16_224", "swin_tiny_patch4_window7_224"} <= {*found.names}
    assert "swin_s3_tiny_224" in found.lacking
    assert all(create_spec(name).params for name in found.names)


def test_a_dot_lists_tags() -> None:
    found = matching_models("vit_small_patch16_384.").names
    assert found[0] == "vit_small_patch16_384.augreg_in21k_ft_in1k"
    assert "vit_small_patch16_384.augreg_in1k" in found


def test_nothing_found_names_the_nearest() -> None:
    with pytest.raises(UserError, match="deit_tiny_patch16_224"):
        matching_models("deit_tinny_patch16_224")
