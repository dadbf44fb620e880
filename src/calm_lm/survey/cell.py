"""Whose answers they are: a country, narrowed by demographics; and what is known of one person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from calm_lm.culture.ids import check_id


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """A part of a survey's respondents.

    Attributes:
        country: culture id (`EG`, or `x-NAME` for a territory without a code).
        groups: demographic fields and values that narrow it, sorted; empty for everyone.
    """

    country: str
    groups: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        check_id(self.country, field="country")
        object.__setattr__(self, "groups", tuple(sorted(self.groups)))

    @property
    def name(self) -> str:
        """`EG`, or `EG, sex=female`."""
        return ", ".join([self.country, *(f"{key}={value}" for key, value in self.groups)])

    @property
    def profile(self) -> RespondentProfile:
        """What is known of each of its people: the country and what narrows it.

        Raises:
            TypeError: for a group that is none of `FIELDS`.
        """
        return RespondentProfile(self.country, **dict(self.groups))

    def cut_by(self, fields: Sequence[str]) -> bool:
        """Whether exactly these fields narrow it; none means everyone."""
        return [key for key, _ in self.groups] == sorted(fields)


@dataclass(frozen=True, slots=True)
class RespondentProfile:
    """What is known of one respondent; None is unknown, and nothing is guessed.

    Fields are those that the big surveys share. They describe people who chose to answer and are used to ask a model
    as one of them; they are never inferred from a text.
    """

    country: str | None = None
    sex: str | None = None
    age: str | None = None
    education: str | None = None
    employment: str | None = None
    income: str | None = None
    marital_status: str | None = None
    religion: str | None = None
    settlement: str | None = None

    def __post_init__(self) -> None:
        if self.country is not None:
            check_id(self.country, field="country")

    @property
    def known(self) -> dict[str, str]:
        """The fields that are known, in order."""
        values = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: value for name, value in values if value is not None}

    def cell(self, *by: str) -> Cell | None:
        """The cell this person falls into when respondents are cut by the given fields; None where one is unknown."""
        if self.country is None or any(name not in self.known for name in by):
            return None
        return Cell(self.country, tuple((name, self.known[name]) for name in by))


FIELDS = tuple(field.name for field in fields(RespondentProfile) if field.name != "country")
"""What people of a country may be cut by, and told of in a prompt."""
