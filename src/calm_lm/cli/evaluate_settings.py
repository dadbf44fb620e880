"""Settings of a suite, `KEY=VALUE` after the model, and for which models each setting and each option does anything."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from calm_lm.errors import CalmError

if TYPE_CHECKING:
    from calm_lm.culture.norms import NormStore
    from calm_lm.evaluation.asking.open_subject import Kind

NAMES: dict[Kind, str] = {"endpoint": "an endpoint (openai:MODEL@URL)", "local": "a local model", "run": "a run"}


class Settings(BaseModel):
    """How models are loaded and asked; the default of every field is what happens without it."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    device: str | None = Field(None, min_length=1, description="cpu, cuda, ...; a run's own, cpu for other models")
    dtype: Literal["float32", "bfloat16", "float16", "float64"] = Field("float32", description="of a local model")
    temperature: float = Field(1.0, ge=0, le=2, description="of the samples drawn from an endpoint")
    presentations: int | None = Field(None, ge=1, le=64, description="orders and labels of each item; the suite's own")
    replicates: int = Field(1_000, ge=100, le=100_000, description="of the bootstrap behind every interval")
    norms: str = Field("bundled", min_length=1, description="records of +norms conditions: bundled, FILE or FOLDER")


class Use(NamedTuple):
    """Which models heed a setting: kinds of models under test, and kinds of judges."""

    tested: tuple[Kind, ...]
    judges: tuple[Kind, ...] = ()


ANY: tuple[Kind, ...] = ("endpoint", "local", "run")
USES = {
    "device": Use(("local", "run"), ("local", "run")),
    "dtype": Use(("local",), ("local",)),
    "temperature": Use(("endpoint",)),  # a judge writes one greedy text
    "presentations": Use(("endpoint", "local")),  # a run reads each text once
    "replicates": Use(ANY),
    "norms": Use(("endpoint", "local")),  # a run cites the records it was trained with
    "samples": Use(("endpoint",)),
    "connections": Use(("endpoint",), ("endpoint",)),
    "timeout": Use(("endpoint",), ("endpoint",)),
    "retries": Use(("endpoint",), ("endpoint",)),
}


def read_settings(words: Iterable[str]) -> Settings:
    """Settings from `KEY=VALUE` words.

    Raises:
        CalmError: R26 for a word that is none or a key given twice, R27 for an unknown key, R28 for a wrong value.
    """
    values: dict[str, str] = {}
    for word in words:
        key, sign, value = word.partition("=")
        if not sign or not key or key in values:
            raise CalmError(
                "R26", "stands twice." if key in values else "is no setting: a setting is KEY=VALUE.",
                field="KEY=VALUE", value=word, fix="write each setting once, such as device=cuda.",
            )  # fmt: skip
        if key not in Settings.model_fields:
            near = difflib.get_close_matches(key, Settings.model_fields, n=2, cutoff=0.5) or Settings.model_fields
            raise CalmError("R27", "is no setting of a suite.", field=key, value=value, fix=f"use {' or '.join(near)}.")
        values[key] = value
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise wrong_value(str(first["loc"][0]), first["input"], f"{first['msg']}.") from error


def wrong_value(key: str, value: object, problem: str) -> CalmError:
    """The error of a setting whose value is not one."""
    says = Settings.model_fields[key].description
    return CalmError("R28", problem, field=key, value=value, fix=f"give another value; {key} is {says}.")


def check_uses(given: Iterable[str], tested: Sequence[Kind], judges: Sequence[Kind], *, tell_norms: bool) -> None:
    """Refuse settings and options that none of the models heeds, rather than pass over them.

    Args:
        given: names of settings and parameters that were given; others than those of `USES` are passed over.
        tested: kinds of the models under test, also of those that answer single languages.
        judges: kinds of the models that judge.
        tell_norms: whether a condition puts norms into the context.

    Raises:
        CalmError: R29.
    """
    for name in sorted(set(given) & set(USES)):
        written = name if name in Settings.model_fields else f"--{name}"
        who = " or ".join(NAMES[kind] for kind in USES[name].tested) + (" under test" if not USES[name].judges else "")
        idle = None
        if not is_used(name, tested, judges):
            idle = f"it is for {who}, and there is none", "leave it out."
        elif name == "norms" and not tell_norms:
            idle = "no condition tells norms", "add one such as --conditions neutral,persona+norms, or leave it out."
        if idle is not None:
            raise CalmError("R29", f"does nothing here: {idle[0]}.", field=written, fix=idle[1])


def is_used(name: str, tested: Sequence[Kind], judges: Sequence[Kind]) -> bool:
    """Whether one of the models heeds a setting or an option."""
    use = USES[name]
    return any(kind in use.tested for kind in tested) or any(kind in use.judges for kind in judges)


def recorded(
    values: Mapping[str, Any], tested: Sequence[Kind], judges: Sequence[Kind], norms: NormStore | None
) -> dict[str, Any]:
    """The settings and options that one of the models heeds, and which norm records are told, for the manifest."""
    from calm_lm.training.norm_sources import fingerprint

    found = {name: values[name] for name in USES if name != "norms" and is_used(name, tested, judges)}
    if norms is None:
        return found
    told = {"name": Path(values["norms"]).name, "records": len(norms), "sha256": fingerprint(norms)}
    return found | {"norms": told}
