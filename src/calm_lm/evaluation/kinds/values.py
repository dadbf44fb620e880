"""Value sheets: can one tell from answers to a survey which country they come from, people's and the model's?

After the protocol of UniVaR (k nearest neighbours and a linear probe on representations of values), here on sheets
of survey answers: both are fitted on people's sheets and then judge sheets of the model that was asked to be somewhere.
Public shares say nothing about which answers go together in one person, so every item of a sheet is drawn by itself:
a sheet is a sample of a country's answers, not a person.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from calm_lm.culture.norms import NormStore
from calm_lm.errors import CalmError
from calm_lm.evaluation.asking.asker import Asker
from calm_lm.evaluation.kinds.survey import ask, choose_rows
from calm_lm.evaluation.kinds.survey_rows import SurveyRows
from calm_lm.evaluation.result import System, TaskResult
from calm_lm.evaluation.table import Metric, Table
from calm_lm.evaluation.tasks.plan import Plan
from calm_lm.stats.arrays import Floats, Ints
from calm_lm.stats.softmax_regression import design, fit_softmax, scores
from calm_lm.survey.instrument import Survey
from calm_lm.survey.registry import load_survey

METRICS = (
    Metric("linear", "Country told from the sheet, linear probe", higher_is_better=True),
    Metric("neighbours", "Country told from the sheet, nearest neighbours", higher_is_better=True),
)
FITTED, JUDGED = 60, 40  # sheets a country (our choice)
NEIGHBOURS = 15
PENALTY = 1e-2


class Sheets(NamedTuple):
    """Sheets as one-hot answers [N, F] with the number of their country [N]."""

    answers: Floats
    countries: Ints


class Probe:
    """Both classifiers, fitted on sheets.

    Args:
        sheets: to fit on.
        countries: how many there are.
    """

    def __init__(self, sheets: Sheets, countries: int) -> None:
        self._sheets, self._countries = sheets, countries
        nobody = np.zeros((len(sheets.answers), 0))
        rows = design(np.arange(len(nobody)), len(nobody), nobody, 0.0)
        self._found = fit_softmax(sheets.answers, rows, np.eye(countries)[sheets.countries], PENALTY)

    def right(self, sheets: Sheets) -> dict[str, Floats]:
        """Whether the country of each sheet is told [N], by metric."""
        nobody = np.zeros((len(sheets.answers), 0))
        rows = design(np.arange(len(nobody)), len(nobody), nobody, 0.0)
        linear = scores(sheets.answers, rows, self._found).argmax(1)
        return {
            "linear": (linear == sheets.countries).astype(np.float64),
            "neighbours": (self._nearest(sheets.answers) == sheets.countries).astype(np.float64),
        }

    def _nearest(self, answers: Floats) -> Ints:
        """The commonest country among the sheets that agree on most items; the nearer ones decide a tie."""
        agree = answers @ self._sheets.answers.T
        k = min(NEIGHBOURS, agree.shape[1])
        nearest = np.argsort(-agree, axis=1, kind="stable")[:, :k]
        votes = np.zeros((len(answers), self._countries))
        weight = 1 + np.linspace(1, 0, k) / (10 * k)
        for place in range(k):
            votes[np.arange(len(answers)), self._sheets.countries[nearest[:, place]]] += weight[place]
        best: Ints = votes.argmax(1)
        return best


def run(asker: Asker, plan: Plan, *, norms: NormStore | None = None, judge: Asker | None = None) -> TaskResult:
    """Fit on people's sheets, judge the model's under every condition.

    Args:
        asker: the model.
        plan: what to ask.
        norms: records that may be put into the context.
        judge: not used.

    Raises:
        CalmError: E86 where the task's countries share fewer than two items.
    """
    rows = choose_rows(shared_items(load_survey(plan.task.data, plan.data_dir), plan), plan)
    countries = sorted({row.country for row in rows})
    people = [row.people.array for row in rows]
    rng = np.random.default_rng([plan.seed, len(rows)])
    fitted = draw_sheets(rows, people, countries, FITTED, rng)
    probe = Probe(fitted, len(countries))
    mixed = Probe(Sheets(fitted.answers, rng.permutation(fitted.countries)), len(countries))
    again = draw_sheets(rows, people, countries, JUDGED, rng)
    names = [(str(number % JUDGED), countries[country]) for number, country in enumerate(again.countries)]
    table = Table([name for name, _ in names], [place for _, place in names], seed=plan.seed,
                  replicates=plan.replicates)  # fmt: skip
    systems = []
    for condition in plan.conditions:
        answers = ask(asker, rows, condition, plan, norms)
        shares = [np.full(len(row.item.options), 1 / len(row.item.options)) if each.shares is None else each.shares
                  for row, each in zip(rows, answers, strict=True)]  # fmt: skip
        drawn = draw_sheets(rows, shares, countries, JUDGED, rng)
        systems.append(System(condition.name, condition.title, "model", probe.right(drawn)))
    chance = np.full(len(names), 1 / len(countries))
    systems += [
        System("people-again", "other sheets of the people", "people", probe.right(again)),
        System("shuffled-labels", "people's sheets, fitted on shuffled countries", "baseline", mixed.right(again)),
        System("chance", "chance", "baseline", {"linear": chance, "neighbours": chance}),
    ]
    facts = {
        "items": len(rows.by_item), "countries": countries, "sheets_fitted": FITTED, "sheets_judged": JUDGED,
        "item_ids": list(rows.by_item), "presentations": plan.wanted.presentations, "seed": plan.seed,
    }  # fmt: skip
    texts = tuple((item, rows[found[0]].item.text) for item, found in rows.by_item.items())
    return TaskResult(plan.task, METRICS, table, tuple(systems), facts, texts=texts)


def shared_items(survey: Survey, plan: Plan) -> Survey:
    """The part of a survey that every one of the task's countries was asked; a sheet has no holes."""
    wanted = set(plan.task.cultures or survey.countries)
    asked = {
        item: {each.cell.country for each in found if not each.cell.groups} for item, found in survey.by_item.items()
    }
    kept = {item for item, countries in asked.items() if wanted <= countries}
    if len(kept) < 2 or len(wanted) < 2:
        raise CalmError(
            "E86", "these countries share too few items to tell their sheets apart.",
            field=f"{plan.task.name}: cultures", value=", ".join(sorted(wanted)),
            fix="name fewer countries, two at least.",
        )  # fmt: skip
    return survey.select(countries=wanted, keep=lambda item: item.id in kept)


def draw_sheets(
    rows: SurveyRows, shares: Sequence[Floats], countries: Sequence[str], count: int, rng: np.random.Generator
) -> Sheets:
    """`count` sheets of each country from shares along the rows, every item drawn by itself."""
    blocks: dict[str, list[Floats]] = {country: [] for country in countries}
    for found in rows.by_item.values():
        for row in found:
            drawn = rng.multinomial(1, shares[row] / shares[row].sum(), size=count)
            blocks[rows[row].country].append(drawn.astype(np.float64))
    answers = np.concatenate([np.concatenate(blocks[country], axis=1) for country in countries])
    return Sheets(answers, np.repeat(np.arange(len(countries)), count))
