"""How `vitprof distill` is told its loss: which goes with what, and that it is the one meant."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from vitprof import UserError
from vitprof.verbs.student_learning import StudentLearning

LABELS = torch.arange(6) % 3


class Says(nn.Module):
    """A model that says the same of any images."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.logits = torch.randn(6, 3, generator=torch.Generator().manual_seed(seed))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.logits


def loss_of(learning: StudentLearning) -> torch.Tensor:
    loss = learning.loss(Says(1))
    return loss(Says(0), torch.zeros(6, 1, 2, 2), F.one_hot(LABELS, 3).float())


def kl(tau: float) -> torch.Tensor:
    student, teacher = Says(0).logits / tau, Says(1).logits / tau
    return F.kl_div(student.log_softmax(1), teacher.softmax(1), reduction="batchmean")


def test_each_loss_is_its_formula() -> None:
    label = F.cross_entropy(Says(0).logits, LABELS)
    named = F.cross_entropy(Says(0).logits, Says(1).logits.argmax(1))
    close = torch.testing.assert_close
    close(loss_of(StudentLearning()), label + 9 * kl(3))
    close(loss_of(StudentLearning(0.5, 2.0)), label + 0.5 * 4 * kl(2))
    close(loss_of(StudentLearning(distill="soft")), 0.9 * label + 0.1 * 9 * kl(3))
    close(loss_of(StudentLearning(None, 2.0, "soft", 0.3)), 0.7 * label + 0.3 * 4 * kl(2))
    close(loss_of(StudentLearning(distill="hard")), 0.5 * label + 0.5 * named)
    close(loss_of(StudentLearning(distill="hard", alpha=1.0)), named)


def test_what_a_report_says_makes_the_loss_again() -> None:
    for learning in (
        StudentLearning(0.5),
        StudentLearning(None, 2.0, "soft"),
        StudentLearning(distill="hard"),
    ):
        again = StudentLearning(**learning.options())
        assert again.options() == learning.options()
        torch.testing.assert_close(loss_of(again), loss_of(learning))
    assert StudentLearning().options() == {"weight": 1.0, "temperature": 3.0}
    assert StudentLearning(distill="hard").options() == {"distill": "hard", "alpha": 0.5}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"distill": "warm"}, "'warm' is not a way to learn"),
        ({"alpha": 0.5}, "`alpha` is a weight of `distill` soft and hard"),
        ({"alpha": -0.5, "distill": "hard"}, "`alpha` -0.5 is not a weight"),
        ({"weight": 1.0, "distill": "soft"}, "`distill` soft has `alpha` in place of `weight`"),
        ({"temperature": 2.0, "distill": "hard"}, "`temperature` has no effect"),
        ({"weight": float("nan")}, "`weight` is nan"),
        ({"temperature": 0.0}, "`temperature` is 0; it has to be above 0"),
    ],
    ids=str,
)
def test_what_does_not_go_together_is_one_sentence(given, words) -> None:
    with pytest.raises(UserError, match=words):
        StudentLearning(**given)
