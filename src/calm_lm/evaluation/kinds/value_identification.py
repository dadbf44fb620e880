"""Value identification: can one tell from an embedding of a value answer which model answered, in which language?

After UniVaR (arXiv 2404.07900 and the authors' evaluation script): a class is a (model, language) pair, the input is
one question with its answer, both translated to English, and nearest neighbours and a linear probe name the class.
Sizes by survey, 50 neighbours and Acc@1/5/10 are theirs. Ours: a question is fitted on or judged on, never both
(theirs draws answers, so a question may stand on both sides), the probe is scikit-learn's logistic regression in place
of a linear layer trained by Adam, and words and shuffled classes are judged beside the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from calm_lm.culture.norms import NormStore
from calm_lm.data.example import Example
from calm_lm.data.groups import hash_share
from calm_lm.data.registry import load
from calm_lm.errors import CalmError
from calm_lm.evaluation.asking.asker import Asker
from calm_lm.evaluation.asking.conditions import NEUTRAL
from calm_lm.evaluation.result import System, TaskResult
from calm_lm.evaluation.table import Metric, Table
from calm_lm.evaluation.tasks.plan import Plan
from calm_lm.stats.arrays import Floats, Ints

METRICS = (
    Metric("neighbours", "Model and language told, nearest neighbours", higher_is_better=True),
    Metric("linear", "Model and language told, linear probe", higher_is_better=True),
    Metric("linear_at_5", "Among the probe's first five", higher_is_better=True),
    Metric("linear_at_10", "Among the probe's first ten", higher_is_better=True),
)
# answers of a class fitted on and judged, by survey (the authors' sizes)
SIZES = {"value_prism": (1_000, 250), "pvqrr": (128, 40), "globe": (54, 30), "wvs": (201, 50)}
NEIGHBOURS = 50
FITTED_SHARE = 0.8  # of the questions


class Side(NamedTuple):
    """Answers that are fitted on, or judged: rows with the number of their class [N]."""

    rows: list[Example]
    classes: Ints

    @property
    def texts(self) -> list[str]:
        """Question and answer of each row."""
        return [row.text for row in self.rows]


def run(asker: Asker, plan: Plan, *, norms: NormStore | None = None, judge: Asker | None = None) -> TaskResult:
    """Embed every answer, fit both probes, judge answers to other questions; conditions and norms play no part.

    Args:
        asker: the model.
        plan: what to ask; its items are the answers of a class that are judged.
        norms: not used.
        judge: not used.

    Raises:
        CalmError: E95 for fewer than two classes with answers on both sides.
        UnavailableError: E96 for a model without embeddings.
    """
    dataset = load(plan.task.data, data_dir=plan.data_dir)
    names, fitted, judged = divide([row for rows in dataset.splits.values() for row in rows], plan)
    table = Table(
        [row.group for row in judged.rows], [language_of(row) for row in judged.rows],
        seed=plan.seed, replicates=plan.replicates,
    )  # fmt: skip
    vectors = asker.embed(fitted.texts + judged.texts, f"{plan.task.name}, embeddings")
    x, y = vectors[: len(fitted.rows)], vectors[len(fitted.rows) :]
    words_x, words_y = word_vectors(fitted.texts, judged.texts)
    shuffled = np.random.default_rng(plan.seed).permutation(fitted.classes)
    guesses = {"neighbours": 1, "linear": 1, "linear_at_5": 5, "linear_at_10": 10}
    chance = {name: np.full(len(table), min(1.0, tries / len(names))) for name, tries in guesses.items()}
    systems = (
        System(NEUTRAL.name, "the model's embedding", "model", told(x, fitted.classes, y, judged.classes)),
        System("words", "words, TF-IDF", "baseline", told(words_x, fitted.classes, words_y, judged.classes)),
        System("chance", "chance", "baseline", chance),
        System("shuffled", "fitted on shuffled classes", "control", told(x, shuffled, y, judged.classes)),
    )
    facts = {
        "classes": len(names), "class_names": names, "fitted": len(fitted.rows), "judged": len(judged.rows),
        "neighbours": min(NEIGHBOURS, len(fitted.rows)), "surveys": sorted({row.source for row in judged.rows}),
        "embedding": getattr(asker.speakers.of("en"), "embedding", None), "seed": plan.seed,
    }  # fmt: skip
    texts = tuple((row.id, row.text) for row in judged.rows)
    return TaskResult(plan.task, METRICS, table, systems, facts, texts=texts)


def divide(rows: Sequence[Example], plan: Plan) -> tuple[list[str], Side, Side]:
    """Names of the classes, the answers fitted on and those judged; at most `SIZES` of a class and survey.

    Raises:
        CalmError: E95 for fewer than two classes with answers on both sides.
    """
    order = np.random.default_rng(plan.seed).permutation(len(rows))
    parts: dict[tuple[str, str, bool], list[Example]] = {}
    for place in order.tolist():
        row = rows[place]
        fits = hash_share(row.group) < FITTED_SHARE
        mine = parts.setdefault((class_of(row), row.source, fits), [])
        if len(mine) < SIZES[row.source][0 if fits else 1]:
            mine.append(row)
    sides: dict[bool, dict[str, list[Example]]] = {True: {}, False: {}}
    for (name, _, fits), found in sorted(parts.items(), key=lambda part: part[0]):
        sides[fits].setdefault(name, []).extend(found)
    names = sorted(set(sides[True]) & set(sides[False]))
    if len(names) < 2:
        raise CalmError(
            "E95", "needs answers of two pairs of model and language at least, to several questions each.",
            field=f"{plan.task.name}: classes", value=len(names), fix="add more of the authors' files.",
        )  # fmt: skip
    judged = {name: plan.sample(sides[False][name], lambda row: row.source) for name in names}
    return names, _side(names, sides[True]), _side(names, judged)


def class_of(row: Example) -> str:
    """Who answered, and in which language."""
    return f"{row.tag('model')}, {language_of(row)}"


def language_of(row: Example) -> str:
    """The language that was answered in."""
    assert row.author is not None
    return row.author.parts[0][0]


def told(x: Any, classes: Ints, y: Any, truth: Ints) -> dict[str, Floats]:
    """Whether the class of each row of `y` is told [M], by metric.

    Args:
        x: embeddings fitted on [N, d], dense (they are centred and scaled, as single features of middle layers would
            drown all others) or sparse.
        classes: their classes [N].
        y: embeddings judged [M, d].
        truth: their classes [M].
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.preprocessing import StandardScaler

    if isinstance(x, np.ndarray):
        scale = StandardScaler().fit(x)
        x, y = scale.transform(x), scale.transform(y)
    nearest: Any = KNeighborsClassifier(min(NEIGHBOURS, x.shape[0]), metric="cosine").fit(x, classes)
    probe: Any = LogisticRegression(max_iter=1_000).fit(x, classes)
    order = probe.classes_[np.argsort(-probe.predict_proba(y), axis=1, kind="stable")]
    hit = order == truth[:, None]
    return {
        "neighbours": (nearest.predict(y) == truth).astype(np.float64),
        "linear": hit[:, 0].astype(np.float64),
        "linear_at_5": hit[:, :5].any(1).astype(np.float64),
        "linear_at_10": hit[:, :10].any(1).astype(np.float64),
    }


def word_vectors(fitted: Sequence[str], judged: Sequence[str]) -> tuple[Any, Any]:
    """TF-IDF of words and word pairs, what any value embedding has to beat."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    return vectorizer.fit_transform(fitted), vectorizer.transform(judged)


def _side(names: Sequence[str], rows: dict[str, list[Example]]) -> Side:
    found = [(row, number) for number, name in enumerate(names) for row in rows[name]]
    return Side([row for row, _ in found], np.asarray([number for _, number in found], dtype=np.int64))
