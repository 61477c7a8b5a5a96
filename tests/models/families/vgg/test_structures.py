"""A VGG's channels: where they lie."""

from __future__ import annotations

from vitprof.models import create_spec
from vitprof.models.structures.prunable import prunable_of


def test_names_and_widths_are_the_specs_own() -> None:
    spec = create_spec("vgg16-bn")
    structures = prunable_of(spec).structures(spec, True)
    assert [s.units for s in structures] == list(spec.channels)
    found = prunable_of(spec).with_units(spec, {"convs.2.channels": 96, "convs.12.channels": 32})
    assert found.stages == ((64, 64), (96, 128), (256,) * 3, (512,) * 3, (512, 512, 32))
    # The last map is 7 x 7, and each of its places is an input of the first dense layer.
    assert structures[-1].parts[-1].index.shape == (512, 49)


def test_a_channel_is_read_by_the_next_step() -> None:
    spec = create_spec("vgg11-bn-cifar")
    steps = prunable_of(spec).steps
    assert steps is not None
    found = steps(spec)
    # Eight convolutions, averaging, a dense layer and the classifier.
    assert len(found.layers) == len(found.compared) == len(spec.blocks())
    assert found.readers == {f"convs.{n}.channels": n + 1 for n in range(8)}
    assert found.compared == [False, *[True] * 8, False, True]
    assert found.layers == [*range(9), 8, 9]
