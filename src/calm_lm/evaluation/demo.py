"""The demonstration: train on the bundled norms, judge beside baselines, and pick what is worth looking at."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from calm_lm.culture.blend import Blend
from calm_lm.data.example import Dataset
from calm_lm.data.sources.demo import culture_blind_ceiling
from calm_lm.evaluation.evaluate import Evaluation
from calm_lm.evaluation.metrics import TABLE
from calm_lm.evaluation.plane import Plane, lay_out, reader_states
from calm_lm.evaluation.showcase import (
    Abstention,
    Judged,
    Reflections,
    Situation,
    pick_abstention,
    pick_reflections,
    pick_situations,
)
from calm_lm.model.card import CARE
from calm_lm.training.config import RunConfig
from calm_lm.training.material import Progress
from calm_lm.training.norm_sources import open_norms
from calm_lm.training.run import run_seeds
from calm_lm.training.trainer import Report

SPLITS = {
    "test": "New situations of known customs",
    "test_new_family": "Customs that training never saw (hard)",
}
BASELINES = {
    "both": "logistic regression",
    "both-by-reader": "logistic regression, embedding × country",
    "nearest": "nearest neighbour per country",
    "lookup": "lookup of the country's nearest norm records",
}
CEILING, CALM, PERMUTED = "culture-blind ceiling", "CALM", "CALM, permuted readers"
BLENDS = ("JP=0.5,US=0.5",)


@dataclass(frozen=True, slots=True)
class Score:
    """One metric of one system.

    Attributes:
        mean: over countries; None where the metric is not defined.
        interval: 95 %, over situations; None for a computed bound.
        worst, worst_country: the country with the worst value; None for a computed bound.
    """

    mean: float | None
    interval: tuple[float, float] | None = None
    worst: float | None = None
    worst_country: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One system of a table; the scores follow the order of the table's metrics, None where it has none."""

    system: str
    scores: tuple[Score | None, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """One split.

    Attributes:
        split: its name in the data.
        title: in words.
        rows_judged, situations: how many.
        metrics: names of the columns.
        higher_is_better: for each column.
        systems: the ceiling first, then baselines, CALM and the control.
        summary: on how many metrics CALM wins, in words.
        verdicts: one sentence per metric on CALM and the best baseline, then one on the control.
    """

    split: str
    title: str
    rows_judged: int
    situations: int
    metrics: tuple[str, ...]
    higher_is_better: tuple[bool, ...]
    systems: tuple[Row, ...]
    summary: str
    verdicts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DemoResult:
    """Everything the demonstration shows, and where it lies.

    Attributes:
        run: the run folder.
        seed: of the training.
        countries: the readers.
        labels: what an answer may be.
        situations, tables, plane, reflections, abstention: see their classes.
        notes: what a reader must know about the data.
        care: what the scores are not for.
        seconds: how long each part took.
    """

    run: str
    seed: int
    countries: tuple[str, ...]
    labels: tuple[str, ...]
    situations: tuple[Situation, ...]
    tables: tuple[Table, ...]
    plane: Plane
    reflections: Reflections
    abstention: Abstention
    notes: tuple[str, ...]
    care: str
    seconds: Mapping[str, float]

    def as_json(self) -> dict[str, Any]:
        """Plain values for `write_json`."""
        return asdict(self)


def run_demo(
    config: RunConfig,
    dataset: Dataset,
    run: Path,
    *,
    seed: int = 0,
    progress: Progress = lambda what, done, total: None,
    report: Report = lambda step, total, losses: None,
) -> DemoResult:
    """Train (or go on, or take the finished run of the same settings), judge, and pick.

    Raises:
        CalmError: T31 when the folder holds a run of other settings or data.
    """
    clock = _Clock()
    norms = open_norms(config.norms)
    [model] = run_seeds(
        config, dataset, run, [seed], resume=True, norms=norms, progress=progress, report=lambda _: report
    )
    model.norms = norms
    clock.lap("training, texts read")
    judged: dict[str, Evaluation] = {}
    for split in (*SPLITS, "valid"):
        judged[split] = Evaluation({seed: model}, config, dataset, split, norms=norms, progress=progress)
    clock.lap("answering")
    for split in SPLITS:
        judged[split].add_baselines(list(BASELINES))
    clock.lap("baselines")
    tables = tuple(_table(judged[split].result(), culture_blind_ceiling(dataset, split)) for split in SPLITS)
    clock.lap("intervals")
    test, valid = (Judged(name, judged[name].rows.examples, judged[name].answers[seed]) for name in ("test", "valid"))
    readers = [*(Blend.of(name) for name in model.manifest.readers), *(Blend.parse(name) for name in BLENDS)]
    texts = judged["test"].rows.texts
    states = reader_states(model, texts, judged["test"].views, readers)
    result = DemoResult(
        run=str(run),
        seed=seed,
        countries=model.manifest.readers,
        labels=model.manifest.labels,
        situations=pick_situations(test, model.manifest.labels),
        tables=tables,
        plane=lay_out(states, readers, dataset.splits["train"], len(texts)),
        reflections=pick_reflections(model, (test, valid)),
        abstention=pick_abstention(model, test),
        notes=dataset.notes,
        care=CARE,
        seconds=clock.laps,
    )
    clock.lap("pictures and traces")
    return result


def _table(result: Mapping[str, Any], ceiling: float) -> Table:
    """Scores of every system on one split, and what they amount to in words."""
    metrics = tuple(metric.name for metric in TABLE)
    systems = [Row(CEILING, tuple(Score(ceiling) if name == "accuracy" else None for name in metrics))]
    fitted = result["baselines"]  # without a sentence encoder some are left out
    systems += [_row(title, fitted[name], metrics) for name, title in BASELINES.items() if name in fitted]
    systems.append(_row(CALM, result["metrics"], metrics))
    permuted = result["controls"]["permuted_reader"]
    found = leads(result)
    systems.append(_row(PERMUTED, permuted["metrics"], metrics))
    return Table(
        split=result["split"],
        title=SPLITS[result["split"]],
        rows_judged=result["rows"],
        situations=result["groups"],
        metrics=metrics,
        higher_is_better=tuple(metric.higher_is_better for metric in TABLE),
        systems=tuple(systems),
        summary=summarise(found),
        verdicts=(*(lead.sentence() for lead in found), _control(permuted["paired"]["accuracy"])),
    )


def _row(title: str, scores: Mapping[str, Any], metrics: Sequence[str]) -> Row:
    return Row(title, tuple(_score(scores[name]) for name in metrics))


def _score(score: Mapping[str, Any]) -> Score:
    low, high = score["interval"]
    return Score(score["mean"], (low, high), score["worst"], score["worst_culture"])


def signed(value: float) -> str:
    """A difference with its sign, a real minus in front of what is below zero."""
    return f"{value:+.3f}".replace("-", "−")


@dataclass(frozen=True, slots=True)
class Lead:
    """CALM beside the baseline that is best on one metric; above zero CALM is better, lower metrics included."""

    metric: str
    baseline: str
    ahead: float
    low: float
    high: float

    @property
    def clear(self) -> bool:
        """Whether the 95 % interval leaves zero out."""
        return self.low > 0 or self.high < 0

    def sentence(self) -> str:
        """The lead in words."""
        size = f"by {abs(self.ahead):.3f} (95 % interval of CALM's lead {signed(self.low)} to {signed(self.high)})"
        end = "." if self.clear else "; the interval holds zero: no clear difference."
        if self.ahead > 0:
            return f"{self.metric}: CALM is ahead of the best baseline, {self.baseline}, {size}{end}"
        return f"{self.metric}: the best baseline, {self.baseline}, is ahead {size}{end}"


def leads(result: Mapping[str, Any]) -> tuple[Lead, ...]:
    """CALM and the best baseline on every metric of a table, from the JSON of an evaluation."""
    found = []
    for metric in TABLE:
        sign = 1 if metric.higher_is_better else -1
        best = max(result["baselines"], key=lambda name: sign * result["baselines"][name][metric.name]["mean"])
        gap = result["paired"][best][metric.name]
        low, high = sorted(sign * end for end in gap["interval"])
        found.append(Lead(metric.title, BASELINES[best], sign * gap["difference"], low, high))
    return tuple(found)


def summarise(found: Sequence[Lead]) -> str:
    """Plainly, whether CALM wins."""
    won = [lead.metric for lead in found if lead.ahead > 0 and lead.clear]
    lost = [lead.metric for lead in found if lead.ahead < 0 and lead.clear]
    if len(won) == len(found):
        return "CALM wins: it is clearly ahead of the best baseline on every metric."
    parts = [f"clearly ahead on {', '.join(won)}"] if won else []
    parts += [f"clearly behind on {', '.join(lost)}"] if lost else []
    if len(won) + len(lost) < len(found):
        parts.append("not clearly different on the rest" if parts else "not clearly different from the best baseline")
    return f"CALM does not win{'' if not won else ' on every metric'}: it is {'; '.join(parts)}."


def _control(gap: Mapping[str, Any]) -> str:
    """What reading every row as another country costs."""
    low, high = gap["interval"]
    unsure = "" if low > 0 or high < 0 else "; the interval holds zero: knowing the reader brings no clear gain here"
    return (
        f"Control: reading every row as another country changes accuracy by {signed(-gap['difference'])} "
        f"(95 % interval {signed(-high)} to {signed(-low)}){unsure}."
    )


class _Clock:
    """Seconds of each part, one after the other."""

    def __init__(self, now: Callable[[], float] = time.perf_counter) -> None:
        self.now, self.laps, self._last = now, dict[str, float](), now()

    def lap(self, name: str) -> None:
        self.laps[name], self._last = round(self.now() - self._last, 1), self.now()
