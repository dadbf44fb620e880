"""Short answers on everyday culture: what the model says in a few words, beside what people of the place answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from calm_lm.culture.norms import NormStore
from calm_lm.data.benchmarks.blend_short import ShortQuestion, read
from calm_lm.data.benchmarks.registry import get, locate
from calm_lm.errors import CalmError
from calm_lm.evaluation.asking.asker import Asker
from calm_lm.evaluation.asking.conditions import Condition
from calm_lm.evaluation.asking.question import Open, OpenAnswer
from calm_lm.evaluation.kinds.matching import first_answer, is_unknown, matches, pieces
from calm_lm.evaluation.kinds.placed import add_no_text, delivered, english, left_out, prompt_for
from calm_lm.evaluation.result import System, TaskResult
from calm_lm.evaluation.table import Metric, Table, figure
from calm_lm.evaluation.tasks.plan import Plan
from calm_lm.stats.arrays import Floats

METRICS = (
    Metric("weighted", "Votes of the answer given, over those of people's commonest", higher_is_better=True),
    Metric("accuracy", "Answers that anybody there gave", higher_is_better=True),
)
MAX_TOKENS = 20
RULE = "Answer in at most five words, in English, with one answer only. No sentence."


class Chosen(NamedTuple):
    """The questions of a run, sorted by id, and how many were at hand."""

    rows: tuple[ShortQuestion, ...]
    at_hand: int
    unanswerable: int


def run(asker: Asker, plan: Plan, *, norms: NormStore | None = None, judge: Asker | None = None) -> TaskResult:
    """Ask every question about every place, greedily, and match strictly.

    Args:
        asker: the model.
        plan: what to ask; items are question ids, each asked of all places that have it.
        norms: records that may be put into the context.
        judge: not used.
    """
    conditions = english(plan)
    questions = read(locate(get(plan.task.data), plan.data_dir))
    chosen = choose(questions, plan)
    rows = chosen.rows
    table = Table([row.id for row in rows], [row.place for row in rows], seed=plan.seed, replicates=plan.replicates)
    systems = []
    for condition in conditions:
        answers = _ask(asker, rows, condition, plan, norms)
        replies = [answer.texts[0] if answer.texts else "" for answer in answers]
        scores = {name: values * delivered(answers) for name, values in score(rows, replies).items()}
        system = System(condition.name, condition.title, "model", scores)
        unknown = np.asarray([float(is_unknown(reply)) for reply in replies])
        system.figures["unknown"] = figure(table.means(unknown), title="Share that says it does not know",
                                           higher_is_better=None)  # fmt: skip
        add_no_text(system, answers, table)
        system.detail["examples"] = [
            {"question": row.text, "place": row.place, "reply": first_answer(reply), "people": _said(row)}
            for row, reply in list(zip(rows, replies, strict=True))[:: max(1, len(rows) // 8)]
        ]
        systems.append(system)
    guessed = score(rows, of_others(questions, rows))
    systems.append(System("other-places", "commonest answer of the other places", "baseline", guessed))
    facts = {
        "items": len({row.id for row in rows}), "items_at_hand": chosen.at_hand, "rows": len(rows),
        "item_ids": sorted({row.id for row in rows}), "left_out_because_nobody_answered": chosen.unanswerable,
        "people_unknown": {
            place: round(float(np.mean([_unknown(row) for row in rows if row.place == place])), 4)
            for place in table.names
        },
        "conditions_left_out": left_out(plan, conditions), "seed": plan.seed,
    }  # fmt: skip
    texts = tuple((f"{row.id}/{row.place}", row.text) for row in rows)
    return TaskResult(plan.task, METRICS, table, tuple(systems), facts, texts=texts)


def choose(questions: Sequence[ShortQuestion], plan: Plan) -> Chosen:
    """Question ids sampled over topics, in all the task's places; what nobody there could answer is left out.

    Raises:
        CalmError: E84 for a place that was not asked.
    """
    known = {question.place for question in questions}
    for place in sorted(set(plan.task.cultures or ()) - known):
        raise CalmError("E84", "nobody there was asked in BLEnD.", field=f"{plan.task.name}: cultures", value=place,
                        fix=f"use {', '.join(sorted(known))}.")  # fmt: skip
    wanted = set(plan.task.cultures or known)
    usable = [each for each in questions if each.place in wanted and each.answers and each.text]
    topics = {each.id: each.topic for each in usable}
    ids = set(plan.sample(sorted(topics), lambda name: topics[name]))
    rows = sorted((each for each in usable if each.id in ids), key=lambda each: (each.id, each.place))
    return Chosen(tuple(rows), len(topics), sum(each.place in wanted for each in questions) - len(usable))


def score(rows: Sequence[ShortQuestion], replies: Sequence[str]) -> dict[str, Floats]:
    """Scores of replies along the rows: of all answers that a reply is, the one with most votes counts."""
    votes = np.asarray([_votes(row, reply) for row, reply in zip(rows, replies, strict=True)], dtype=np.float64)
    most = np.asarray([row.answers[0].votes for row in rows], dtype=np.float64)
    return {"weighted": votes / most, "accuracy": (votes > 0).astype(np.float64)}


def of_others(questions: Sequence[ShortQuestion], rows: Sequence[ShortQuestion]) -> list[str]:
    """For each row, the answer with most votes in all other places that were asked the same; empty where none was."""
    by_id: dict[str, list[ShortQuestion]] = {}
    for question in questions:
        by_id.setdefault(question.id, []).append(question)
    found = []
    for row in rows:
        votes: Counter[tuple[str, ...]] = Counter()
        spelling: dict[tuple[str, ...], str] = {}
        for other in by_id[row.id]:
            for answer in other.answers if other.place != row.place else ():
                if answer.english:
                    key = pieces(answer.english[0])
                    votes[key] += answer.votes
                    spelling.setdefault(key, answer.english[0])
        found.append(spelling[min(votes, key=lambda key: (-votes[key], key))] if votes else "")
    return found


def _ask(
    asker: Asker, rows: Sequence[ShortQuestion], condition: Condition, plan: Plan, norms: NormStore | None
) -> list[OpenAnswer]:
    asked = [
        Open(f"{plan.task.name}/{row.id}/{row.place}",
             prompt_for(condition, row.place, f"{row.text}\n\n{RULE}", norms), max_tokens=MAX_TOKENS)
        for row in rows
    ]  # fmt: skip
    return asker.write(asked, f"{plan.task.name}, {condition.title}")


def _votes(row: ShortQuestion, reply: str) -> int:
    if is_unknown(reply):
        return 0
    whole, first = reply.strip().split("\n", 1)[0], first_answer(reply)
    for answer in row.answers:  # commonest first
        spellings = (*answer.english, *answer.local)
        if pieces(whole) in {pieces(each) for each in spellings if pieces(each)} or matches(first, spellings):
            return answer.votes
    return 0


def _unknown(row: ShortQuestion) -> float:
    return row.unknown / (row.unknown + sum(answer.votes for answer in row.answers))


def _said(row: ShortQuestion) -> list[str]:
    return [(answer.english or answer.local)[0] for answer in row.answers[:3]]
