"""Whether two lists of classes are the same, and in which order."""

from __future__ import annotations

import pytest
from vitprof.errors import UserError
from vitprof.training.teachers.classes import class_order


@pytest.mark.parametrize(
    ("names", "classes", "order"),
    [
        (None, ("ant", "bee"), None),
        (("ant", "bee"), ("ant", "bee"), None),
        (("Ant", "honey bee"), ("ant", "honey_bee"), None),
        (("tench, Tinca tinca", "goldfish, Carassius"), ("tench", "goldfish"), None),
        (("LABEL_0", "LABEL_1"), ("ant", "bee"), None),
        (("tench", "goldfish"), ("n01440764", "n01443537"), None),
        (("bee", "ant"), ("ant", "bee"), [1, 0]),
        # ImageNet has two cranes, each in its place.
        (("crane", "ant", "crane"), ("crane", "ant", "crane"), None),
    ],
)
def test_the_teachers_class_for_each_of_the_students(names, classes, order) -> None:
    assert class_order("t", len(classes), names, classes) == order


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("ant", "dog"), "it knows 'dog', and not 'bee'"),
        (("cat", "dog"), "it knows 'cat', 'dog', and not 'ant', 'bee'"),
        (("bee", "bee"), "and not 'ant'"),
    ],
)
def test_other_classes_are_named(names, words: str) -> None:
    with pytest.raises(UserError, match=words):
        class_order("t", 2, names, ("ant", "bee"))
