"""Whether a teacher tells the student's classes apart, and in which order."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...errors import UserError
from ...models.checks import shown
from ...notes import note

# Names that say nothing but a place, or an ImageNet synset.
_NUMBERED = re.compile(r"(label|class)?[_ ]?\d+|n\d{8}")


def class_order(
    title: str, count: int, names: Sequence[str] | None, classes: Sequence[str]
) -> list[int] | None:
    """Return the teacher's class for each of the student's; None where they are in one order.

    count, names: of the teacher's classes; names are None where nothing says them. Where names of
    either side are mere numbers or ImageNet's n01440764, the order is taken to be the same. Raises
    UserError, naming classes, where the two are not the same.
    """
    if count != len(classes):
        raise UserError(
            f"the teacher {title} has {count} classes and the images {len(classes)} "
            f"({', '.join(map(shown, classes[:3]))}, ...); give a teacher of the same classes."
        )
    if names is None or len(names) != count:
        return None
    theirs, ours = [_plain(name) for name in names], [_plain(name) for name in classes]
    if any(all(map(_NUMBERED.fullmatch, each)) for each in (theirs, ours)):
        return None
    # ImageNet's names are synonyms: "tench, Tinca tinca".
    if all(
        own == their or own in (part.strip() for part in their.split(","))
        for own, their in zip(ours, theirs, strict=True)
    ):
        return None
    missing = [name for name, own in zip(classes, ours, strict=True) if own not in theirs]
    if missing or len(set(theirs)) != count:
        other = [name for name, their in zip(names, theirs, strict=True) if their not in ours]
        raise UserError(
            f"the teacher {title} has other classes than the images: it knows "
            f"{', '.join(map(shown, other[:3] or names[:3]))}, and not "
            f"{', '.join(map(shown, missing[:3] or classes[:3]))}; give a teacher of the same "
            "classes."
        )
    note(f"note: the teacher {title} has the images' classes in another order; it is followed.")
    return [theirs.index(own) for own in ours]


def _plain(name: str) -> str:
    return str(name).casefold().replace("_", " ").strip()
