"""A culture as the model meets it: one id, or a weighted blend of several."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

from calm_lm.errors import CalmError


@dataclass(frozen=True, slots=True)
class Blend:
    """Culture ids with weights that sum to one, in a canonical order (heaviest first, then by id).

    Ids are ISO 3166 countries (`SG`), BCP 47 languages (`en`) or communities (`x-NAME`). The class checks
    form only; `calm_lm.culture.ids` checks that an id exists.

    Example:
        >>> Blend.parse("SG=0.25,AU=0.75").parts
        (('AU', 0.75), ('SG', 0.25))
        >>> str(Blend.of("SG"))
        'SG'
    """

    parts: tuple[tuple[str, float], ...]

    def __post_init__(self) -> None:
        ids = [culture for culture, _ in self.parts]
        weights = [weight for _, weight in self.parts]
        if not ids or len(set(ids)) != len(ids) or any(not culture for culture in ids):
            raise CalmError(
                "C01", "a blend names each culture once.", value=self.parts, fix="write it as SG=0.5,AU=0.5."
            )
        if any(not math.isfinite(weight) or weight <= 0 for weight in weights):
            raise CalmError(
                "C02",
                "weights of a blend are finite and above zero.",
                value=self.parts,
                fix="write it as SG=0.5,AU=0.5.",
            )
        largest = max(weights)  # divided by it first: the sum of huge weights would overflow
        total = sum(weight / largest for weight in weights)
        ordered = sorted(((c, w / largest / total) for c, w in self.parts), key=lambda part: (-part[1], part[0]))
        object.__setattr__(self, "parts", tuple(ordered))

    @classmethod
    def of(cls, culture: str) -> Self:
        """The blend that is one culture."""
        return cls(((culture, 1.0),))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `SG` or `SG=0.5,AU=0.5`; weights are divided by their sum.

        Raises:
            CalmError: C01, C02 for a blend that is none, C03 for a weight that is no number.
        """
        parts: list[tuple[str, float]] = []
        for piece in text.split(","):
            culture, sign, weight = piece.partition("=")
            try:
                parts.append((culture.strip(), float(weight) if sign else 1.0))
            except ValueError as error:
                raise CalmError(
                    "C03", "a blend's weight is a number.", value=text, fix="write it as SG=0.5,AU=0.5."
                ) from error
        return cls(tuple(parts))

    @property
    def single(self) -> str | None:
        """The id when the blend is one culture, else None."""
        return self.parts[0][0] if len(self.parts) == 1 else None

    def __str__(self) -> str:
        return self.single or ",".join(f"{culture}={weight:g}" for culture, weight in self.parts)
