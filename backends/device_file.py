"""Strict reading of a device file: a wrong entry is refused, never half understood."""

from __future__ import annotations

import re
from types import MappingProxyType

from ..errors import UserError, did_you_mean
from ..untrusted.structured import toml_table
from .device import Device
from .protocol import DTYPES, SPARSITIES
from .registry import BackendKind, backend_names, find_kind

_LARGEST_MULTIPLE = 1024
_REQUIRED = ("title", "backend", "dtypes", "sparsity", "multiples_of")
_KEYS = (*_REQUIRED, "gpu_name", "compute_capability", "machine")


def devices_from_toml(text: str, source: str) -> dict[str, Device]:
    """Return the devices of a device file, in its order. `source` names the file in errors.

    Raises UserError that names the file, the device and the key that is wrong.
    """
    entries = toml_table(text, source)
    return {name: device_from_entry(name, entry, source) for name, entry in entries.items()}


def device_from_entry(name: str, entry: object, source: str) -> Device:
    """Return the device of one entry of such a file, read as strictly."""
    return _Entry(source, name, entry).device()


class _Entry:
    """One device's table in the file, and where to say an error is."""

    def __init__(self, source: str, name: str, entry: object) -> None:
        self.source = source
        self.name = name
        if re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) is None:
            raise self.error("its name may have small letters, digits and single hyphens only")
        if not isinstance(entry, dict):
            raise self.error(f"it must be a table [{name}]")
        self.entry: dict[str, object] = entry

    def error(self, what: str) -> UserError:
        return UserError(f"{self.source}, device '{self.name}': {what}.")

    def device(self) -> Device:
        for key in self.entry:
            if key not in _KEYS:
                raise self.error(f"unknown key '{key}'{did_you_mean(key, _KEYS)}")
        for key in _REQUIRED:
            if key not in self.entry:
                raise self.error(f"the key '{key}' is missing")
        backend = self.text("backend")
        kind = find_kind(backend)
        if kind is None:
            raise self.error(
                f"backend '{backend}' is not known; it must be one of {', '.join(backend_names())}"
            )
        self.check_identity(kind)
        dtypes = self.choices("dtypes", DTYPES)
        sparsity = self.choices("sparsity", SPARSITIES)
        if sparsity[0] != "dense":
            raise self.error("sparsity must begin with 'dense', the default")
        return Device(
            name=self.name,
            title=self.text("title"),
            backend=backend,
            dtypes=dtypes,
            sparsity=sparsity,
            multiples_of=MappingProxyType(self.multiples((*dtypes, *sparsity[1:]))),
            gpu_name=self.pattern("gpu_name"),
            compute_capability=self.optional_text("compute_capability"),
            machine=self.pattern("machine"),
        )

    def check_identity(self, kind: BackendKind) -> None:
        """Each backend's devices have keys of their own: exactly those must be there."""
        given = tuple(sorted({"gpu_name", "compute_capability", "machine"} & set(self.entry)))
        if given not in kind.identified_by:
            known = " or ".join(" and ".join(keys) or "nothing" for keys in kind.identified_by)
            raise self.error(
                f"backend '{kind.name}' is identified by {known}, "
                f"but this entry gives {' and '.join(given) or 'nothing'}"
            )
        capability = self.optional_text("compute_capability")
        if capability is not None and re.fullmatch(r"\d+\.\d+", capability) is None:
            raise self.error(f"compute_capability '{capability}' must look like \"7.5\"")

    def text(self, key: str) -> str:
        value = self.entry[key]
        if not isinstance(value, str) or not value.strip():
            raise self.error(f"{key}={value!r} must be a text that is not empty")
        return value

    def optional_text(self, key: str) -> str | None:
        return self.text(key) if key in self.entry else None

    def pattern(self, key: str) -> str | None:
        value = self.optional_text(key)
        if value is None:
            return None
        try:
            re.compile(value)
        except re.error as error:
            raise self.error(f"{key} '{value}' is not a regular expression: {error}") from error
        return value

    def choices(self, key: str, known: tuple[str, ...]) -> tuple[str, ...]:
        value = self.entry[key]
        if not isinstance(value, list) or not value:
            raise self.error(f"{key} must be a list of {', '.join(known)}, and not empty")
        for item in value:
            if item not in known:
                raise self.error(f"{key} has {item!r}; it may have {', '.join(known)}")
        if len(set(value)) != len(value):
            raise self.error(f"{key} names one twice: {', '.join(value)}")
        return tuple(value)

    def multiples(self, wanted: tuple[str, ...]) -> dict[str, int]:
        value = self.entry["multiples_of"]
        if not isinstance(value, dict) or set(value) != set(wanted):
            raise self.error(f"multiples_of must give exactly {', '.join(wanted)}")
        for key, multiple in value.items():
            if (
                isinstance(multiple, bool)
                or not isinstance(multiple, int)
                or not 1 <= multiple <= _LARGEST_MULTIPLE
            ):
                raise self.error(
                    f"multiples_of {key}={multiple!r} must be a whole number "
                    f"from 1 to {_LARGEST_MULTIPLE}"
                )
        return {key: value[key] for key in wanted}
