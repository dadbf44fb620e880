"""Options that several commands share, and how they are read."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from calm_lm.errors import CalmError

if TYPE_CHECKING:
    from calm_lm.culture.blend import Blend
    from calm_lm.data.example import Dataset, Role

TABLES = (".csv", ".tsv", ".jsonl", ".parquet")
OWN_TABLE = "A table of your own"  # the panel of `--help` that its options stand in

DataDir = Annotated[
    Path | None, typer.Option("--data-dir", envvar="CALM_DATA", help="Folder of the data sets.", show_default=False)
]
Json = Annotated[Path | None, typer.Option("--json", help="Write the result to this file.", show_default=False)]


def _own(option: str, said: str, *, show_default: bool | str = False) -> Any:
    """An option about a table of one's own."""
    return typer.Option(option, help=said, show_default=show_default, rich_help_panel=OWN_TABLE)


Text = Annotated[str, _own("--text", "Column of the text.", show_default=True)]
Label = Annotated[str, _own("--label", "Column of the label.", show_default=True)]
Culture = Annotated[str | None, _own("--culture", "Column of the culture.")]
CultureRole = Annotated[str, _own("--culture-role", "Whose culture it is: reader, about or author.", show_default=True)]
Votes = Annotated[str | None, _own("--votes", "Column of vote counts.")]
Id = Annotated[str | None, _own("--id", "Column of ids.")]
Group = Annotated[str | None, _own("--group", "Column of what stays together in a split.")]
Split = Annotated[str | None, _own("--split-column", "Column of the split.")]
Licence = Annotated[str | None, _own("--licence", "Its licence, an SPDX id.", show_default="undeclared")]
Offensive = Annotated[bool, _own("--offensive", "Its texts may offend.")]


@dataclass(frozen=True, slots=True)
class OwnColumns:
    """The columns of a user's own file, as typed, and what the user declares of it."""

    text: str = "text"
    label: str = "label"
    culture: str | None = None
    role: str = "reader"
    votes: str | None = None
    id: str | None = None
    group: str | None = None
    split: str | None = None
    licence: str | None = None
    offensive: bool = False

    def words(self) -> list[str]:
        """The columns as options, as one would type them again to judge what was trained on them."""
        named = {
            "--text": self.text, "--label": self.label, "--culture": self.culture, "--culture-role": self.role,
            "--votes": self.votes, "--id": self.id, "--group": self.group, "--split-column": self.split,
        }  # fmt: skip
        return [word for option, column in named.items() if column is not None for word in (option, column)]


def sampled(dataset: Dataset, rows: int | None) -> Dataset:
    """The data set, or the stratified sample that a configuration asks for."""
    from calm_lm.data.sample import sample_rows

    return dataset if rows is None else sample_rows(dataset, rows)


def is_table(name: str) -> bool:
    """Whether a name is a file of rows rather than a registered name or a recipe."""
    return Path(name).suffix.lower() in TABLES


def load_data(name: str, data_dir: Path | None, columns: OwnColumns, labels: tuple[str, ...] | None = None) -> Dataset:
    """A registered data set, or a user's own table.

    Raises:
        CalmError: R07 for a declaration about a registered set, which has its own; what the readers raise.
    """
    if not is_table(name):
        from calm_lm.data import registry

        if columns.licence is not None or columns.offensive:
            raise CalmError(
                "R07", "declares its own licence and whether it is offensive.", value=name,
                fix="leave --licence and --offensive out; they are for a file of your own.",
            )  # fmt: skip
        return registry.load(name, data_dir=data_dir)
    from calm_lm.data.own import Columns, read_table

    named = Columns(
        text=columns.text, label=columns.label, culture=columns.culture, votes=columns.votes, id=columns.id,
        group=columns.group, split=columns.split,
    )  # fmt: skip
    dataset = read_table(Path(name), named, labels=labels, role=check_role(columns.role))
    licences = dataset.licences if columns.licence is None else (columns.licence,)
    return replace(dataset, licences=licences, offensive=columns.offensive)


def check_role(role: str) -> Role:
    """One of the three meanings of culture."""
    roles: dict[str, Role] = {"reader": "reader", "about": "about", "author": "author"}
    if role not in roles:
        raise CalmError(
            "R01",
            "a culture's role is reader, about or author.",
            field="--culture-role",
            value=role,
            fix="see the three meanings of culture in the README.",
        )
    return roles[role]


def parse_seeds(text: str) -> tuple[int, ...]:
    """`0`, `0,3` or `0-4`, as sorted different seeds."""
    seeds: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        try:
            low, high = int(first), int(last if dash else first)
        except ValueError as error:
            raise CalmError(
                "R02", "seeds are numbers.", field="--seeds", value=text, fix="write 0, 0,3 or 0-4."
            ) from error
        if low > high or high - low > 1_000:
            raise CalmError("R03", "that is no range of seeds.", field="--seeds", value=text, fix="write 0-4.")
        seeds |= set(range(low, high + 1))
    return tuple(sorted(seeds))


def parse_culture(text: str | None) -> Blend | None:
    """A culture option: an id, a blend, or `none`."""
    if text is None or text == "none":
        return None
    from calm_lm.culture.blend import Blend
    from calm_lm.culture.ids import check_blend

    return check_blend(Blend.parse(text))


def is_offline() -> bool:
    """Whether `--offline` was given."""
    return os.environ.get("CALM_OFFLINE") == "1"
