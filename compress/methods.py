"""The ways of pruning, by name: those of vitprof, and what other wheels add as "vitprof.methods".

A method is one object, and what it costs to write one is one file:

    @dataclass(frozen=True)
    class Options:
        every: int = option(10, "layers between two that shrink", at_least=1)

    class Mine(Method[Options]):
        name, help, Options, kinds = "mine", "as I do it", Options, ("mlp",)

        def run(self, context, options): return PrunedRun(context.base, [...])

    METHOD = Mine()
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from ..errors import UserError, did_you_mean
from ..option_fields import option, option_fields, taken_options
from ..plugins import API_VERSION, PluginGroup
from ..training.plan import TrainingPlan
from ..training.recipes import RECIPES, changed_plan, plan_of

if TYPE_CHECKING:
    from ..models import Spec
    from ..models.structures.structure import Kind
    from .any_data import AnyData
    from .budget import Budget
    from .method_recipe import MethodRecipe
    from .run import PrunedRun, PruningContext
    from .subject import Subject
    from .targets import Target

__all__ = ["Method", "all_methods", "find_method", "method_names", "option"]

OptionsT = TypeVar("OptionsT")
# What a method that trains takes beside its own options: all but what a run sets by itself.
TRAINING = tuple(name for name in TrainingPlan.names() if name not in ("seed", "decay"))


class Method(ABC, Generic[OptionsT]):
    """A way of pruning: its options, what it takes, and how it is done.

    help: half a sentence; Options: a frozen dataclass of `option`s; scores: what importance can be,
    the default first; kinds: the structures it takes units of; weighs_cost: whether what removing
    units is credited with plays a part; training: how it trains where nothing else is asked for,
    None where nothing is trained; recipes: whole schedules by name, beside those of training.
    """

    api: ClassVar[int] = API_VERSION
    name: ClassVar[str]
    help: ClassVar[str]
    Options: ClassVar[type]
    scores: ClassVar[tuple[str, ...]] = ()
    kinds: ClassVar[tuple[Kind, ...]]
    weighs_cost: ClassVar[bool] = True
    training: ClassVar[TrainingPlan | None] = None
    recipes: ClassVar[Mapping[str, MethodRecipe]] = {}

    def variant(self, subject: Subject) -> Method[Any]:
        """Return the method as it is for such models; UserError where it is none for them."""
        if subject.kind:
            raise UserError(
                f"{subject.what} is pruned by `method` optin, not by {self.name}: it is not "
                "trained here."
            )
        return self

    def check_kinds(self, spec: Spec, kinds: Collection[Kind]) -> None:
        """Raise UserError for a model that has no structure of the method's kinds."""
        if set(self.kinds) & set(kinds):
            return
        others = [method.name for method in all_methods() if set(method.kinds) & set(kinds)]
        raise UserError(
            f"{spec.name} has {' and '.join(sorted(kinds))}, which `method` {' or '.join(others)} "
            f"prunes; `method` {self.name} prunes {', '.join(self.kinds)}."
        )

    def check(self, options: OptionsT, spec: Spec) -> None:
        """Raise UserError, before data are read, for options that are not for such a model."""

    def for_data(self, options: OptionsT, data: AnyData) -> OptionsT:
        """Return the options as the data allow; raises UserError where these do not suffice."""
        return options

    def check_score(self, score: str, options: OptionsT, spec: Spec, data: AnyData) -> None:
        """Raise UserError, before anything is written, where the score does not go with these."""

    def own_target(self, options: OptionsT, spec: Spec, budget: Budget) -> Target | None:
        """Return what the options themselves come to, if they leave nothing open."""
        return None

    def group_sizes(self, options: OptionsT) -> Mapping[Kind, int]:
        """Return how many units leave at once where that is not given, if not the usual."""
        return {}

    def goes_by_units(self, options: OptionsT) -> bool:
        """Whether a target has to be within reach of taking out units alone."""
        return True

    def asked(self, options: OptionsT, goal: Mapping[str, Any]) -> dict[str, Any]:
        """Return what has to be the same where an interrupted run goes on.

        goal: table, targets and what else the results depend on.
        """
        own = {field.name: getattr(options, field.name) for field in option_fields(self.Options)}
        return {**goal, **{name: "" if value is None else value for name, value in own.items()}}

    @abstractmethod
    def run(self, context: PruningContext, options: OptionsT) -> PrunedRun:
        """Return a model for every target."""

    def score(self, wanted: str | None) -> str:
        """Return the score, the default where none is wanted; UserError for another's."""
        if wanted is None:
            return self.scores[0] if self.scores else ""
        if wanted not in self.scores:
            has = f"it has {', '.join(self.scores)}" if self.scores else "it has none to choose"
            raise UserError(f"`method` {self.name} has no `score` {wanted}; {has}.")
        return wanted

    def recipe(self, name: str | None) -> MethodRecipe | None:
        """Return the whole schedule of that name, None where it is one of training or none.

        Raises UserError for one that is unknown, and where nothing is trained.
        """
        if name is None:
            return None
        if self.training is None:
            raise UserError(
                f"`recipe` says how a model is trained, and `method` {self.name} trains none; "
                "omit it."
            )
        if name not in self.recipes and name not in RECIPES:
            known = (*self.recipes, *RECIPES)
            raise UserError(f"`recipe` '{name}' is unknown{did_you_mean(name, known)}.")
        return self.recipes.get(name)

    def taken(
        self, given: Mapping[str, Any], what: str, recipe: str | None = None
    ) -> tuple[OptionsT, TrainingPlan | None]:
        """Return the options and, where it trains, the training that are given.

        what: the model, in words; recipe: where the others come from. Raises UserError for an
        option that the method would pass over.
        """
        whole = self.recipe(recipe)
        known = {field.name for field in option_fields(self.Options)}
        trains = TRAINING if self.training is not None else ()
        for name in given:
            if name not in known and name not in trains:
                raise UserError(self._refusal(name, what, {*known, *trains}))
        own = {name: value for name, value in given.items() if name in known}
        training = {name: value for name, value in given.items() if name in trains}
        if self.training is None:
            return taken_options(self.Options, own), None
        if recipe is None:
            plan = changed_plan(self.training, training, by_rule=False)
        else:
            plan = plan_of(recipe if whole is None else whole.training, training)
        if whole is not None:
            own = whole.options_for(own, plan.batch)
        return taken_options(self.Options, own), plan

    def _refusal(self, name: str, what: str, known: set[str]) -> str:
        having = [m for m in all_methods() if name in _taken_by(m)]
        others = [m.name for m in having if m.name != self.name]
        if others:
            return f"`{name}` belongs to `method` {' and '.join(others)}, not to {self.name}."
        if having:
            return f"`{name}` has no effect on {what}; omit it."
        return f"`method` {self.name} has no option `{name}`{did_you_mean(name, known)}."


def _taken_by(method: Method[Any]) -> set[str]:
    names = {field.name for field in option_fields(method.Options)}
    return names if method.training is None else {*names, *TRAINING}


_BUILT_IN = {
    "nvit": ".nvit.method",
    "optin": ".optin.method",
    "heads": ".heads.method",
}
# What `vitprof.prune` takes itself, so that no method can have an option of the name.
RESERVED = (
    "model",
    "table",
    "at",
    "data",
    "out",
    "target",
    "target_macs",
    "target_params",
    "method",
    "checkpoint",
    "resolution",
    "sequence_length",
    "score",
    "credit",
    "groups",
    "only",
    "seed",
    "train_device",
    "verify",
    "require_device",
    "require_batch",
    "recipe",
    "keep",
    "workers",
    "on_damaged",
    "fresh",
    "download",
    "progress",
    *TRAINING,
)


def _check_plugin(method: Method[Any]) -> None:
    try:
        fields_of = option_fields(method.Options)
    except (TypeError, AttributeError, NameError, ValueError) as error:
        raise UserError(f"its options cannot be read ({error})") from error
    taken = [field.name for field in fields_of if field.name in RESERVED]
    if taken:
        raise UserError(f"its option {taken[0]} is one that every method has")


PLUGINS: PluginGroup[Method[Any]] = PluginGroup(
    "vitprof.methods",
    Method,  # type: ignore[type-abstract]
    "method",
    tuple(_BUILT_IN),
    _check_plugin,
)


def method_names() -> list[str]:
    return [*_BUILT_IN, *PLUGINS.names()]


def find_method(name: str) -> Method[Any]:
    """Return the method of that name; UserError where there is none."""
    if name in _BUILT_IN:
        found: Method[Any] = importlib.import_module(_BUILT_IN[name], __package__).METHOD
        return found
    plugin = PLUGINS.find(name)
    if plugin is None:
        raise UserError(f"there is no `method` {name}{did_you_mean(name, method_names())}.")
    return plugin


def all_methods() -> list[Method[Any]]:
    """Return all methods that can be used."""
    return [*map(find_method, _BUILT_IN), *PLUGINS.all().values()]
