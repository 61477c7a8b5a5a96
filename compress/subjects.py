"""Which subject a model is."""

from __future__ import annotations

from pathlib import Path

from ..errors import UserError
from ..models import Spec
from .subject import Classifier, Subject


def subject_of(
    model: str | Path | Spec,
    checkpoint: str | Path | None = None,
    resolution: int | None = None,
    sequence_length: int | None = None,
) -> Subject:
    """Return the trained model that is meant; raises UserError where it is none.

    resolution: pixels a side, the model's own where None; sequence_length: of texts, in tokens.
    """
    from .segmentation.mask2former import is_mask2former

    if isinstance(model, Spec) or not is_mask2former(model):
        return Classifier(model, checkpoint, resolution, sequence_length)
    from .segmentation.subject import Segmenter

    for name, given in (("checkpoint", checkpoint), ("sequence_length", sequence_length)):
        if given is not None:
            raise UserError(f"`{name}` has no effect on {Segmenter.what}; omit it.")
    return Segmenter(Path(model), resolution)
