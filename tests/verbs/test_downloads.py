"""Which verbs fetch ids of Hugging Face, and what of them."""

from __future__ import annotations

import pytest
import vitprof
from vitprof import UserError
from vitprof.models import hub
from vitprof.verbs.inputs import fetched

ID = "nobody/a-model"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    found: list[tuple[str, bool]] = []
    monkeypatch.setattr(hub, "fetch", lambda model, weights=False: found.append((model, weights)))
    return found


def test_ids_are_fetched_in_either_form(asked: list[tuple[str, bool]]) -> None:
    spec = vitprof.create_spec("deit-tiny")
    models = [ID, f"hf:{ID}", "deit-tiny", "hf:a folder", "x.onnx", spec]
    fetched(models, download=False)
    assert asked == []
    fetched(models, download=True)
    assert asked == [(ID, False), (ID, False)]
    asked.clear()
    # Of a foreign model only its config.json is read.
    fetched(models, download=True, weights=True)
    assert asked == [(ID, True), (ID, False)]


@pytest.mark.parametrize(
    "what", [{"model": ID}, {"in_model": ID}, {"ablations": ID}, {"for_models": [f"hf:{ID}"]}]
)
def test_a_plan_fetches_what_it_is_made_of(asked: list[tuple[str, bool]], what: dict) -> None:
    for download in (False, True):
        with pytest.raises(UserError, match="nobody/a-model"):
            vitprof.plan(**what, download=download)
        assert asked == [(ID, False)] * download


def test_validate_fetches_its_models(table: str, asked: list[tuple[str, bool]]) -> None:
    with pytest.raises(UserError, match="nobody/a-model"):
        vitprof.validate(table, [ID], download=True)
    assert asked == [(ID, False)]
