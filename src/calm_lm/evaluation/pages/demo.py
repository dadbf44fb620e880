"""The demonstration as one page."""

from __future__ import annotations

from collections.abc import Sequence

from calm_lm.culture.ids import display_name
from calm_lm.evaluation.demo import CALM, CEILING, PERMUTED, DemoResult, Score, Table
from calm_lm.evaluation.pages.kit import (
    Cell,
    Html,
    chip,
    join,
    note,
    page,
    paragraphs,
    section,
    table,
    tag,
    verdict,
    words,
)
from calm_lm.evaluation.pages.pictures import interval_picture, plane_picture
from calm_lm.evaluation.pages.traces import reader_name, reflection_steps, shares_table
from calm_lm.evaluation.showcase import Reading, Reflection, Situation

LETTERS = "ABCDEFGHIJ"
FOLLOWS = 0.7  # a correlation of axis and label share worth a sentence
AUTHORED = (
    "All situations and norms here are authored: the developers of calm-lm wrote them for this demonstration, from "
    "public documents and with the help of a language model. No member of the twelve countries reviewed them. They are "
    "not evidence about people."
)
METRIC_NAMES = {
    "accuracy": "accuracy",
    "macro_f1": "macro-F1",
    "cross_entropy": "cross-entropy ↓",
}


def next_commands(run: str) -> tuple[str, ...]:
    """What to type next: the same for a file of one's own, and a closer look at this run."""
    return (
        "calm train own.csv --text text --label label --culture country --out runs/own",
        "calm evaluate runs/own --data own.csv --text text --label label --culture country --json own.json",
        f'calm inspect {run} "The guest leaves a tip." --culture JP --culture US --html inspect.html',
    )


def demo_page(result: DemoResult) -> str:
    """The whole report as one HTML document."""
    parts = {
        "situations": ("Situations", _situations(result)),
        "scores": ("Scores", _scores(result)),
        "plane": ("The countries in the plane", _plane(result)),
        "reflection": ("Reflection", _reflections(result)),
        "abstention": ("Abstention", _abstention(result)),
        "next": ("Your own file", _next(result)),
    }
    return page(
        "CALM demonstration",
        kicker="calm demo · authored data",
        heading=f"One situation, {len(result.countries)} readings",
        lede="A small language model with CALM's stages on top, trained on everyday norms: what it answers for each "
        "country, how good that is beside simple baselines, and what led to it.",
        sections=parts,
        notices=(AUTHORED, " ".join(result.care.split())),
    )


# -- situations --------------------------------------------------------------------------------------


def _situations(result: DemoResult) -> Html:
    letters = LETTERS[: len(result.situations)]
    listed = tag("ol", join(_listed(*pair) for pair in zip(letters, result.situations, strict=True)), class_="letters")
    rows = []
    for number, country in enumerate(reading.country for reading in result.situations[0].readings):
        cells = [Cell(_country(country), header=True)]
        cells += [Cell(_reading(situation.readings[number], result.labels)) for situation in result.situations]
        rows.append((cells, None))
    agreeing = [
        Cell(join((tag("span", "✓", aria_hidden="true"), tag("span", "agreeing", class_="hidden"))), header=True)
    ]
    agreeing += [Cell(f"{s.agreeing} of {len(s.readings)}") for s in result.situations]
    rows.append((agreeing, None))
    caption = (
        "CALM's answer for each country. ✓ agrees with the documented norm; ✗ does not, and that norm stands with it."
    )
    return section(
        "situations", f"{len(result.situations)} situations, read side by side",
        listed, table(caption, ["", *letters], rows, class_="dense situations"),
    )  # fmt: skip


def _listed(letter: str, situation: Situation) -> Html:
    said = join((tag("blockquote", situation.text), tag("span", f"Picked because {situation.picked}.", class_="small")))
    return tag("li", join((tag("b", letter, class_="letter"), tag("div", said))))


def _country(country: str) -> Html:
    return join((country, tag("span", display_name(country), class_="aside")))


def _reading(reading: Reading, labels: Sequence[str]) -> Html:
    if reading.agrees:
        mark = join((tag("span", "✓", class_="yes", aria_hidden="true"), tag("span", "agrees", class_="hidden")))
    else:
        cross = tag("span", "✗", class_="no", aria_hidden="true")
        documented = tag("span", words(reading.documented), class_="aside")
        mark = join((cross, tag("span", "differs, documented is", class_="hidden"), documented))
    return join((chip(reading.predicted, labels), " ", tag("span", mark, class_="under")))


# -- scores ------------------------------------------------------------------------------------------


def _scores(result: DemoResult) -> Html:
    parts: list[str] = []
    for each in result.tables:
        parts.append(tag("h3", f"{each.title}: {each.situations} situations, {each.rows_judged} rows"))
        parts.append(verdict(each.summary, each.verdicts))
        parts.append(_table(each))
    reading = paragraphs(
        "Every figure is the mean over countries, with its 95 % interval over situations (also as the line below, on "
        "one scale in a column); a cell ends with the country that has the worst value. The best system is underlined. "
        f"The {CEILING} (dashed) is the highest accuracy that a system which does not know the reader could reach, "
        "computed from the labels it is judged by.",
        f"{PERMUTED}: the same model, told another country than the one it is judged by.",
        class_="soft",
    )
    return section("scores", "Beside simple baselines", reading, *parts)


def _table(each: Table) -> Html:
    rows = []
    scales = [_scale(each, column) for column in range(len(each.metrics))]
    best = [_best(each, column) for column in range(len(each.metrics))]
    for system in each.systems:
        cells = [Cell(system.system, header=True)]
        for column, score in enumerate(system.scores):
            kind = "best" if system.system == best[column] else None
            mark = _ceiling(each, column)
            cells.append(Cell(_score(score, scales[column], mark), kind))
        rows.append((cells, "ours" if system.system == CALM else None))
    names = [METRIC_NAMES[metric] for metric in each.metrics]
    caption = f"{each.title}: means over countries. ↓ in nats, lower is better."
    return table(caption, ["", *names], rows, class_="dense scores")


def _score(score: Score | None, scale: tuple[float, float], mark: float | None) -> Html:
    if score is None or score.mean is None:
        return tag("span", "–", class_="soft")
    value = tag("span", f"{score.mean:.3f}", class_="value")
    if score.interval is None:
        line = interval_picture(score.mean, score.mean, score.mean, scale, mark)
        return join((value, tag("span", "computed", class_="small"), line))
    low, high = score.interval
    parts = [value, tag("span", f"{low:.2f}–{high:.2f}", class_="small"),
             interval_picture(low, score.mean, high, scale, mark)]  # fmt: skip
    if score.worst is not None:
        parts.append(tag("span", f"{score.worst_country} {score.worst:.2f}", class_="small"))
    return join(parts)


def _scale(each: Table, column: int) -> tuple[float, float]:
    """From the lowest to the highest end of the column's intervals."""
    found = [score for system in each.systems if (score := system.scores[column]) is not None]
    ends = [end for score in found for end in (score.interval or (score.mean or 0.0,))]
    margin = 0.03 * (max(ends) - min(ends))
    return min(ends) - margin, max(ends) + margin


def _best(each: Table, column: int) -> str:
    sign = 1 if each.higher_is_better[column] else -1
    real = [
        s for s in each.systems if (score := s.scores[column]) is not None and score.interval and score.mean is not None
    ]
    return max(real, key=lambda system: sign * (system.scores[column].mean or 0.0)).system  # type: ignore[union-attr]


def _ceiling(each: Table, column: int) -> float | None:
    found = next((system.scores[column] for system in each.systems if system.system == CEILING), None)
    return None if found is None else found.mean


# -- the plane, reflection, abstention -----------------------------------------------------------------


def plane_sentences(result: DemoResult) -> tuple[str, ...]:
    """What the picture can and cannot say."""
    plane = result.plane
    can = (
        f"Each dot is the mean of the model's identity states for one reader over {plane.texts} situations of the test "
        "split, after taking away what the readers of a situation share; the two axes show "
        f"{sum(plane.explained):.0%} of the spread between the countries."
    )
    link = ""
    if plane.agreement is not None and plane.p is not None:
        holds = (
            "tends to put countries apart whose norms differ" if plane.p < 0.05 else "does not clearly mirror the norms"
        )
        link = (
            f" Between countries, the distance of the states and the share of training situations labelled "
            f"differently correlate at {plane.agreement:+.2f} (Spearman, p = {plane.p:.3f} by "
            f"renaming countries); the model {holds}."
        )
    if plane.label is not None and plane.follows is not None and abs(plane.follows) > FOLLOWS:
        named = words(result.labels[plane.label])
        link += (
            f" The first axis follows how often a country's documented norm is “{named}” (r = {plane.follows:+.2f})."
        )
    cannot = (
        "It cannot say how near two countries are: it shows what a small model made of norms that its developers "
        "wrote. Axes have no names, and another seed turns and stretches them."
    )
    return can + link, cannot


def _plane(result: DemoResult) -> Html:
    names = [reader_name(point.name) for point in result.plane.points]
    can, cannot = plane_sentences(result)
    places = ", ".join(f"{name} at {p.x:.2f}, {p.y:.2f}" for name, p in zip(names, result.plane.points, strict=True))
    picture = plane_picture(
        result.plane, [name.replace(", ", "\n") for name in names], f"Readers in the plane: {places}."
    )
    said = "Dots are countries; the diamond is a blend that training never saw. Each axis has its own scale."
    figure = tag("figure", join((tag("div", picture, class_="card"), tag("figcaption", said))))
    return section(
        "plane",
        "The countries in the plane",
        tag("div", join((tag("div", paragraphs(can, cannot)), figure)), class_="split"),
    )


def reflection_sentence(result: DemoResult) -> str:
    """How often reflection changed an answer of the test split, and how that ended."""
    found = result.reflections
    changed = found.rightly + found.wrongly + found.between_wrong
    if not changed:
        return f"Reflection changed none of the {found.rows:,} answers of the test split."
    return (
        f"Reflection changed {changed} of the {found.rows:,} answers of the test split: {found.rightly} from wrong to "
        f"right, {found.wrongly} from right to wrong, {found.between_wrong} from one wrong label to another."
    )


def _reflections(result: DemoResult) -> Html:
    intro = paragraphs(
        reflection_sentence(result),
        "Of each kind, the one that moved the documented label's probability most. Evidence is norm records of the "
        "training families, written for this project, each with the public document it rests on.",
    )
    cards = tag("div", join(_trace(each, result.labels) for each in result.reflections.examples), class_="grid")
    return section("reflection", "How answers were reflected on", intro, cards)


def missing_trace(kind: str) -> str:
    """What stands where there is no example."""
    return f"No answer of the test or validation split was {kind}."


def _trace(each: Reflection, labels: Sequence[str]) -> Html:
    heading = tag("h3", each.kind.capitalize())
    if each.prediction is None:
        return tag("article", join((heading, tag("p", missing_trace(each.kind)))), class_="card")
    where = "" if each.split == "test" else " There is none in the test split; this one is from validation."
    parts = (
        heading,
        tag("blockquote", each.text),
        tag(
            "p",
            join((f"Read for {display_name(each.country)}. Documented: ", chip(each.documented, labels), f".{where}")),
        ),
        reflection_steps(each.prediction, labels),
    )
    return tag("article", join(parts), class_="card")


def abstention_sentences(result: DemoResult) -> tuple[str, ...]:
    """When the model abstains, and what that is worth."""
    found = result.abstention
    if found.threshold is None:
        return ("No threshold on the validation rows made the kept answers better, so it never abstains.",)
    said = (
        f"It abstains where its best label has a probability below {found.threshold:.2f}, a threshold fitted on the "
        f"validation rows: on {found.share:.0%} of the test rows."
    )
    if found.accuracy_answered is None:
        return (said,)
    return (
        f"{said} Of the answers it gives {found.accuracy_answered:.1%} are right; of all, withheld ones included, "
        f"{found.accuracy_all:.1%}.",
    )


def _abstention(result: DemoResult) -> Html:
    found = result.abstention
    parts: list[str] = [paragraphs(*abstention_sentences(result))]
    if found.prediction is not None:
        said = join((f"Read for {display_name(found.country)}. Documented: ", chip(found.documented, result.labels),
                     ". The least sure answer of the test split:"))  # fmt: skip
        parts.append(tag("div", join((
            tag("blockquote", found.text), tag("p", said),
            shares_table([(reader_name(found.country), found.prediction)], result.labels),
        )), class_="card"))  # fmt: skip
    return section("abstention", "When it does not answer", *parts)


def _next(result: DemoResult) -> Html:
    own, judge, look = next_commands(result.run)
    return section(
        "next", "Your own file",
        tag("p", "A CSV, JSONL or Parquet file with a text, a label and a culture in each row:"),
        tag("pre", f"{own}\n{judge}"),
        tag("p", "A closer look at this model:"),
        tag("pre", look),
        tag("h3", "About the data"),
        note(*(text[0].upper() + text[1:] for text in result.notes)),
    )  # fmt: skip
