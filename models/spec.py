"""What an architecture is: a frozen dataclass that knows its blocks."""

from __future__ import annotations

import dataclasses
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

from ..errors import UserError
from .block import Block
from .checks import (
    check_known_fields,
    check_name,
    check_required_fields,
    check_whole_number,
    shown,
)
from .families.registry import family_names, find_family
from .json_object import read_json_object


@dataclass(frozen=True, kw_only=True)
class Spec(ABC):
    """An architecture. A pruned or searched model is a Spec plus weights."""

    family: ClassVar[str]

    name: str = "custom"

    def __post_init__(self) -> None:
        check_name("name", self.name)

    @abstractmethod
    def blocks(self) -> list[Block]:
        """Return the blocks in the order they run."""

    @classmethod
    def from_fields(cls, record: Mapping[str, Any]) -> Self:
        """Return the spec with these JSON fields; raises UserError naming the wrong one."""
        own = dataclasses.fields(cls)
        missing = dataclasses.MISSING
        check_known_fields(record, [field.name for field in own])
        check_required_fields(record, [one.name for one in own if one.default is missing])
        return cls(**record)

    def check_whole_numbers(self, most: int = 65536) -> None:
        """Raise UserError for an int, or a list of them, that is not from 1 to `most`.

        Of every field that is annotated `int` or `tuple[int, ...]`; a list is made a tuple. For
        `__post_init__` of families whose fields have no ranges of their own.
        """
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.type == "int":
                check_whole_number(field.name, value, 1, most)
            elif field.type == "tuple[int, ...]":
                if not isinstance(value, list | tuple) or not value:
                    raise UserError(f"{field.name}={shown(value)} must be a list of numbers.")
                for number in value:
                    check_whole_number(f"a value of {field.name}", number, 1, most)
                object.__setattr__(self, field.name, tuple(value))

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one image."""
        return sum(block.macs for block in self.blocks())

    @property
    def params(self) -> int:
        """Number of weights."""
        return sum(block.params for block in self.blocks())

    @property
    def line_family(self) -> str:
        """The family whose line from blocks to whole models is this one's."""
        return self.family

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of the model's input for one image or text, without the batch axis."""
        return self.blocks()[0].input_shape

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values, `family` first."""
        fields = json.loads(json.dumps(dataclasses.asdict(self)))
        return {"family": self.family, **fields}

    def to_json(self) -> str:
        """Return JSON text, one field or list element a line, that `from_json` reads back."""
        lines = []
        for field, value in self.to_dict().items():
            text = json.dumps(value)
            if isinstance(value, list):
                text = "[\n    " + ",\n    ".join(json.dumps(item) for item in value) + "\n  ]"
            lines.append(f"  {json.dumps(field)}: {text}")
        return "{\n" + ",\n".join(lines) + "\n}\n"

    @staticmethod
    def from_json(text_or_path: str | os.PathLike[str]) -> Spec:
        """Return the spec that JSON text or a JSON file describes.

        A file without a `name` gives its own name. Raises UserError, naming the file, the field
        and the value, for anything that `to_json` could not have written or that is out of range.
        """
        record, source = read_json_object(text_or_path)
        if source == f"'{os.fspath(text_or_path)}'":
            record.setdefault("name", Path(text_or_path).stem)
        return Spec.from_dict(record, source)

    @staticmethod
    def from_dict(record: Mapping[str, Any], source: str = "the spec") -> Spec:
        """Return the spec with these JSON fields; `source` is what a message calls them.

        Raises UserError as `from_json` does.
        """
        fields = dict(record)
        if "family" not in fields:
            raise UserError(
                f"{source} has no field 'family', which says what kind of model it is; "
                f"add one of: {', '.join(family_names())}."
            )
        family = fields.pop("family")
        if not isinstance(family, str):
            raise UserError(f"{source}: family={shown(family)} is not a name of a family.")
        try:
            spec_class: type[Spec] = find_family(family).load("spec")
            return spec_class.from_fields(fields)
        except UserError as error:
            raise UserError(f"{source}: {error}") from None
