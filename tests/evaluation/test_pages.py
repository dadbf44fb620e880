"""Pages: escaped, self-contained, accessible, the same twice; labels that do not overlap; phone width in a browser."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from page_reader import Page, browse, measure, needs_chromium

from calm_lm.evaluation.demo import CALM, CEILING, PERMUTED, DemoResult, Row, Score, Table
from calm_lm.evaluation.pages import kit, pictures
from calm_lm.evaluation.pages.demo import AUTHORED, demo_page, next_commands
from calm_lm.evaluation.pages.inspection import differences, inspection_page
from calm_lm.evaluation.pages.traces import outcome, reader_name
from calm_lm.evaluation.plane import Plane, Point
from calm_lm.evaluation.showcase import Abstention, Reading, Reflection, Reflections, Situation
from calm_lm.model.answers import EvidenceCited, Inspection, Prediction, ReflectionStep, TokenTrace
from calm_lm.model.card import CARE

COUNTRIES = ("AU", "BR", "CN", "DE", "EG", "GB", "IN", "JP", "MX", "NG", "TH", "US")
LABELS = ("expected", "fine", "out_of_place", "varies")
HOSTILE = '<script>alert("x")</script> & "quotes" <img src=x onerror=y>'


def step(*, kept: bool = True, second: str = "out_of_place", text: str = "leaving a tip") -> ReflectionStep:
    cited = (EvidenceCited(f"In Japan, {text} is out of place.", "a visitor guide", 1.0),)
    return ReflectionStep("Does it fit?", ("context", "hierarchy"), "fine", 0.5, second, 0.7, kept, 0.3, 0.9, cited)


def prediction(reader: str | None = "JP", label: str = "out_of_place", draft: str = "fine") -> Prediction:
    shares = {name: 0.7 if name == label else 0.1 for name in LABELS}
    return Prediction(reader, label, shares, None, abstain=False, draft=draft, reflection=(step(),))


def inspection(
    reader: str | None = "JP", label: str = "out_of_place", expert: int = 0, token: str = "Tokyo"
) -> Inspection:
    return Inspection(
        prediction(reader, label),
        (TokenTrace(token, True, 0, 3), TokenTrace(" waits", False, 4, 1)),
        {"context": 0.6, "directness": 0.4},
        {"context": (0.7, 0.2, 0.1), "directness": (0.3, 0.3, 0.4)},
        {"context": (expert, 2), "directness": (0, 2)},
        0.12,
        0.99,
    )


def table(split: str) -> Table:
    scored = Score(0.5, (0.4, 0.6), 0.3, "NG")
    systems = tuple(Row(name, (scored,) * 3) for name in ("nearest", CALM, PERMUTED))
    return Table(
        split, f"Title of {split}", 624, 52, ("accuracy", "macro_f1", "cross_entropy"), (True, True, False),
        (Row(CEILING, (Score(0.51), None, None)), *systems), "CALM does not win: it is behind.", ("by a lot",),
    )  # fmt: skip


@pytest.fixture(scope="module")
def told() -> DemoResult:
    """A result with everything a page can show, and hostile text wherever text comes from data."""
    readings = tuple(Reading(c, "fine", LABELS[i % 4], 0.5) for i, c in enumerate(COUNTRIES))
    points = tuple(Point(c, float(np.cos(i)), float(np.sin(i)), False) for i, c in enumerate(COUNTRIES))
    found = tuple(Reflection(kind, "test", HOSTILE, "JP", "fine", prediction()) for kind in ("changed rightly", "kept"))
    return DemoResult(
        run="demo/run", seed=0, countries=COUNTRIES, labels=LABELS,
        situations=tuple(Situation(f"{HOSTILE} {i}", "tea", "it differs", readings) for i in range(4)),
        tables=(table("test"), table("test_new_family")),
        plane=Plane((*points, Point("JP=0.5,US=0.5", 0.1, 0.1, True)), (0.4, 0.2), 52, 0.3, 0.01, 3, -0.9),
        reflections=Reflections(624, 5, 3, 1, (*found, Reflection("changed wrongly", None))),
        abstention=Abstention(0.4, 0.2, 0.5, 0.6, HOSTILE, "GB", "fine", prediction("GB")),
        notes=("written by us",), care=CARE, seconds={"training": 1.0},
    )  # fmt: skip


@pytest.fixture(scope="module")
def demo(told: DemoResult) -> str:
    return demo_page(told)


@pytest.fixture(scope="module")
def inspected() -> str:
    several = [inspection("JP", token=HOSTILE), inspection("US", "fine", expert=1), inspection("JP=0.5,US=0.5")]
    return inspection_page(HOSTILE, several, LABELS)


@pytest.fixture(params=["demo", "inspected"])
def page(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


@given(st.text(st.characters(exclude_categories=("Cs", "Cc"))), st.text(st.characters(exclude_categories=("Cs", "Cc"))))
def test_text_is_never_markup(content: str, attribute: str) -> None:
    parsed = Page(kit.tag("p", content, title=attribute))
    assert parsed.elements == [("p", {"title": attribute})]
    assert parsed.text == content


def test_a_page_needs_nothing_from_outside_and_runs_nothing(page: str) -> None:
    parsed = Page(page)
    assert not {"script", "link", "img", "iframe", "object", "embed", "base", "form"} & {
        name for name, _ in parsed.elements
    }
    for _, attributes in parsed.elements:
        for name in ("href", "src", "xlink:href", "srcset", "action"):
            assert attributes.get(name, "#").startswith("#")
        assert not any(name.startswith("on") for name in attributes)
    assert not re.search(r"@import|url\((?!#)", page)


def test_data_stands_on_the_page_as_text(page: str) -> None:
    assert HOSTILE in Page(page).text


def test_tables_name_their_rows_and_columns(page: str) -> None:
    parsed = Page(page)
    assert len(list(parsed.of("caption"))) == len(list(parsed.of("table"))) > 0
    assert {attributes.get("scope") for attributes in parsed.of("th")} == {"col", "row"}
    assert len(list(parsed.of("h1"))) == 1
    assert next(parsed.of("html"))["lang"] == "en"


def test_links_of_the_contents_lead_somewhere(page: str) -> None:
    parsed = Page(page)
    ids = [attributes["id"] for _, attributes in parsed.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {str(attributes["href"])[1:] for attributes in parsed.of("a")} <= set(ids)


def test_the_same_result_gives_the_same_bytes(told: DemoResult, demo: str) -> None:
    assert demo_page(told) == demo


def test_the_demo_says_what_it_must(told: DemoResult, demo: str) -> None:
    text = " ".join(Page(demo).text.split())
    for said in (AUTHORED, " ".join(CARE.split()), "CALM does not win", "Japan 50%, United States 50%", kit.DISCLAIMER):
        assert said in text
    assert "documented norm is “varies” (r = -0.90)" in text
    assert "No answer of the test or validation split was changed wrongly." in text
    assert all(command in text for command in next_commands(told.run))
    assert text.count("differs, documented is") == 4 * sum(LABELS[i % 4] != "fine" for i in range(12))


def test_the_best_system_of_a_column_is_underlined_and_controls_can_be_it(told: DemoResult) -> None:
    worse, better = Score(0.5, (0.4, 0.6), 0.3, "NG"), Score(0.9, (0.8, 1.0), 0.5, "NG")
    systems = (Row(CEILING, (Score(0.95), None, None)), Row("nearest", (worse,) * 3), Row(CALM, (better,) * 3))
    page = demo_page(replace(told, tables=(replace(told.tables[0], systems=systems),)))
    rows = re.findall(r"<tr[^>]*><th scope=\"row\">(nearest|CALM)</th>(.*?)</tr>", page)
    marked = {name: re.findall(r'<td( class="best")?>', cells) for name, cells in rows}
    assert [bool(mark) for mark in marked["CALM"]] == [True, True, False]  # cross-entropy is better when lower
    assert [bool(mark) for mark in marked["nearest"]] == [False, False, True]


def test_intervals_stand_where_their_numbers_say() -> None:
    picture = pictures.interval_picture(0.2, 0.3, 0.6, (0.1, 0.6), mark=0.35)
    lines = [dict(re.findall(r'(x1|x2)="([\d.]+)"', line)) for line in re.findall(r"<line[^>]*>", picture)]
    assert lines == [{"x1": "50.00", "x2": "50.00"}, {"x1": "20.00", "x2": "100.00"}, {"x1": "40.00", "x2": "40.00"}]


@given(st.lists(st.tuples(st.integers(60, 440), st.integers(60, 340)), min_size=1, max_size=13, unique=True))
def test_labels_cover_neither_points_nor_each_other(spots: list[tuple[float, float]]) -> None:
    frame = pictures.Box(0, 0, 500, 400)
    boxes = pictures.arrange_labels(spots, [(40.0, 9.0)] * len(spots), frame)
    for number, box in enumerate(boxes):
        if box != pictures._around(*spots[number], 40.0, 9.0, *pictures.CANDIDATES[0]):  # else there was no free place
            assert frame.x0 <= box.x0 <= box.x1 <= frame.x1
            assert frame.y0 <= box.y0 <= box.y1 <= frame.y1
            assert not any(box.overlaps(other, 0) for other in boxes[:number])
            assert not any(box.x0 < x < box.x1 and box.y0 < y < box.y1 for x, y in spots)


def test_twelve_crowded_points_get_twelve_free_labels() -> None:
    spots = [(250 + 30 * np.cos(i), 200 + 30 * np.sin(i)) for i in range(12)]
    boxes = pictures.arrange_labels(spots, [(60.0, 10.0)] * 12, pictures.Box(0, 0, 500, 400))
    assert not any(a.overlaps(b, 0) for i, a in enumerate(boxes) for b in boxes[:i])


def test_the_plane_takes_the_colours_of_the_page(told: DemoResult) -> None:
    picture = pictures.plane_picture(told.plane, [point.name for point in told.plane.points], "said <aloud>")
    assert not any(colour in picture for colour in pictures.PAGE_COLOURS)
    assert "currentColor" in picture
    assert "said &lt;aloud&gt;" in picture


def test_a_missing_matplotlib_is_said_before_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(Exception, match=r"\[E20\].*calm-lm\[viz\]"):
        pictures.require_matplotlib()


def test_differences_between_readers_are_told() -> None:
    same = [inspection("JP"), inspection("US")]
    assert differences(same[:1]) == ()
    assert differences(same)[0] == "All answers are the same: out of place."
    assert "The same experts answer in every dimension." in differences(same)
    other = replace(inspection("US", "fine", expert=1), dimensions={"context": 0.2, "directness": 0.8})
    told = differences([inspection("JP"), other])
    assert told[0] == "The answers differ: out of place for Japan, fine for United States."
    assert "fine: 0.70 for United States, 0.10 for Japan" in told[1] or "out of place: 0.70 for Japan" in told[1]
    assert "0.60 for Japan, 0.20 for United States" in told[2] or "0.80 for United States, 0.40 for Japan" in told[2]
    assert told[3] == "Other experts answer in context."
    assert told[4] == "Reflection changed the answer for Japan."


@pytest.mark.parametrize(
    ("kept", "second", "said"),
    [(False, "varies", "the draft stands"), (True, "fine", "the same label"), (True, "varies", "replaces the draft")],
)
def test_what_became_of_a_round(kept: bool, second: str, said: str) -> None:
    assert said in outcome(step(kept=kept, second=second))


def test_readers_have_names() -> None:
    assert [reader_name(r) for r in (None, "JP", "JP=0.25,US=0.75")] == [
        "no reader",
        "Japan",
        "United States 75%, Japan 25%",
    ]


# -- in a browser -------------------------------------------------------------------------------------


@pytest.mark.slow
@needs_chromium
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_overflows_in_a_browser(page: str, width: int, tmp_path: Path) -> None:
    measured = measure(tmp_path, page, width)
    assert measured.width <= width
    assert measured.height > 1500


@pytest.mark.slow
@needs_chromium
def test_a_screenshot_is_not_blank(page: str, tmp_path: Path) -> None:
    from matplotlib.image import imread

    (tmp_path / "page.html").write_text(page)
    browse(tmp_path, tmp_path / "page.html", f"--screenshot={tmp_path / 'shot.png'}")
    pixels = imread(tmp_path / "shot.png")
    assert pixels.shape[:2] == (900, 1280)
    assert len(np.unique(pixels.reshape(-1, pixels.shape[2]).round(2), axis=0)) > 50
