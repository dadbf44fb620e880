"""The report's page: true sentences, nothing foreign as markup, nothing offensive, any task, any width."""

from __future__ import annotations

import html
import io
import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from page_reader import Page, browse, measure, needs_chromium
from planted_reports import MANY, REPORTS, report_of, task_result

from calm_lm.evaluation.pages import charts, report_text
from calm_lm.evaluation.pages.report import OFFENSIVE, render_report
from calm_lm.evaluation.pages.report_frame import CARE
from calm_lm.evaluation.pages.report_lead import lead
from calm_lm.evaluation.pages.report_views import standing_of, task_view

SHOWN = '<script>alert("x")</script> & "q" <img src=x onerror=y> ��[31m�gnp.exe'
OFFENSE = "zzz-planted-offence"
SECTIONS = ("measured", "verdict", "joint", "task-1", "reading")


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return {name: render_report(make()) for name, make in REPORTS.items()}


@pytest.fixture(params=list(REPORTS))
def page(request: pytest.FixtureRequest, pages: dict[str, str]) -> str:
    return pages[request.param]


def plain(page: str) -> str:
    return " ".join(Page(page).text.split())


# -- what holds for every page -----------------------------------------------------------------------------


def test_a_page_needs_nothing_from_outside_and_runs_nothing(page: str) -> None:
    parsed = Page(page)
    names = {name for name, _ in parsed.elements}
    assert not {"script", "link", "img", "iframe", "object", "embed", "base", "form", "use", "image"} & names
    for _, attributes in parsed.elements:
        assert attributes.get("href", "#").startswith("#")
        assert not any(name.startswith("on") or name == "src" for name in attributes)
    assert not re.search(r"@import|url\(|[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069]", page)
    page.encode("utf-8")


def test_headings_tables_and_links_are_sound(page: str) -> None:
    parsed = Page(page)
    levels = [int(name[1]) for name, _ in parsed.elements if re.fullmatch(r"h[1-6]", name)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert len(list(parsed.of("caption"))) == len(list(parsed.of("table")))
    assert {attributes.get("scope") for attributes in parsed.of("th")} <= {"col", "row"}
    ids = [attributes["id"] for _, attributes in parsed.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {str(attributes["href"])[1:] for attributes in parsed.of("a")} <= set(ids)
    assert set(SECTIONS) <= set(ids)
    assert all(box.get("aria-label") for box in parsed.of("div") if box.get("class") == "scroll")


def test_every_row_of_a_table_has_as_many_cells_as_its_head(page: str) -> None:
    for found in re.findall(r"<table.*?</table>", page, re.DOTALL):
        counts = {len(re.findall(r"<t[hd][ >]", row)) for row in re.findall(r"<tr.*?</tr>", found, re.DOTALL)}
        assert len(counts) == 1


def test_what_the_scores_are_not_for_is_always_said(page: str) -> None:
    assert plain(page).count(CARE) == 2
    for said in ("not a nation's view", "ethnicity, faith or nationality", "hiring, policing, credit or migration"):
        assert said in CARE


def test_a_report_is_not_changed_and_gives_the_same_bytes() -> None:
    found = REPORTS["normal"]()
    before = json.dumps(found)
    assert render_report(found) == render_report(found)
    assert json.dumps(found) == before


# -- what the page says ------------------------------------------------------------------------------------


def test_a_normal_report_says_who_what_and_why(pages: dict[str, str]) -> None:
    text = plain(pages["normal"])
    for said in (
        "A model org/model r1", "ab" * 32, "exact probabilities", "core: A suite.", "2026-01-02 by calm-lm 0, seed 0",
        "does not claim to read ar", "kobbq: no data at hand", "Not affiliated", "30 items", "60 questions in 31",
        "less what chance adds: 0.087 (0.050 to 0.120); ECE, to which chance adds: 0.134",
        "That numbers mean something.", "Apache-2.0", "made up for a test", "Egypt (EG)", "5.0\xa0%", "0.450 to 0.550",
    ):  # fmt: skip
        assert said.replace("\xa0", " ") in text
    ids = [attributes.get("id") for attributes in Page(pages["normal"]).of("section")]
    assert ids == ["stop-rule", "measured", "verdict", "joint", "task-1", "task-2", "against", "reading"]
    assert "The stop rule is not met." in text
    assert "Better than the other on 1 and worse on 0 of 1 comparison." in text


def test_what_it_cost_and_the_settings_stand_on_the_page(pages: dict[str, str]) -> None:
    text = plain(pages["normal"])
    for said in ("at least 2,470,134", "at least 1,235,067", "tokens written", "by A model ab", "not stated",
                 "settings of this run", "name bundled, records 120, sha256", "ar=x, fr=y"):  # fmt: skip
        assert said in text
    assert "<dt>presentations</dt><dd>not set</dd>" in pages["normal"]
    assert "<dt>n</dt><dd>1</dd>" in pages["normal"]  # of the model


def test_the_joint_table_holds_people_and_baselines_beside_the_model() -> None:
    planted = {"neutral": 0.5, "uniform": 0.2, "people-again": 0.05}
    page = render_report(report_of(task_result(distances=planted)))
    joint = page[page.index('id="joint"') : page.index('id="task-1"')]
    assert re.findall(r'<th scope="col">(\S+?)<span class="small">(.*?)<', joint)[:3] == [
        ("neutral", "the model"), ("uniform", "baseline"), ("people-again", "people"),
    ]  # fmt: skip
    row = re.search(r"<tbody><tr>(.*?)</tr>", joint)
    assert row is not None
    cells = re.findall(r"<td(.*?)>(.*?)</td>", row[1])
    assert [kind for kind, _ in cells] == ["", ' class="r-baseline best"', ' class="r-people"']
    assert "worst Japan 0.5" in cells[0][1]
    found = report_of(task_result(distances=planted))["tasks"]["toy"]["systems"]["neutral"]["metrics"]["distance"]
    assert report_text.number(found["mean"]) in cells[0][1]
    assert report_text.between(found["interval"]) in cells[0][1]


@pytest.mark.parametrize(
    ("far", "said"),
    [
        ({"neutral": 0.5, "neutral+country": 0.4, "uniform": 0.2},
         "Even in its best condition the model is further from people than answering at random on 1 of 1 survey."),
        ({"neutral": 0.5, "neutral+country": 0.1, "uniform": 0.2},
         "In its best condition the model is closer to people than answering at random on 1 of 1 survey."),
        ({"neutral": 0.2, "neutral+country": 0.3, "uniform": 0.2},
         "In its best condition the model is not told apart from answering at random on 1 of 1 survey."),
        ({"neutral": 0.2, "population-mean": 0.1},
         "The scores were not compared with answering at random, so they say little by themselves."),
        ({"uniform": 0.1}, "Nothing was measured that a verdict could rest on."),
    ],
)  # fmt: skip
def test_the_verdict_is_computed(far: dict[str, float], said: str) -> None:
    assert lead([task_view("toy", task_result(distances=far).to_json(), 1)]).sentence == said
    assert plain(render_report(report_of(task_result(distances=far)))).count(said) == 2


def test_the_verdict_counts_surveys_and_other_tasks_apart() -> None:
    better = {"neutral": 0.1, "uniform": 0.2, "population-mean": 0.05}
    results = [
        task_result("a"), task_result("b"), task_result("c", distances=better),
        task_result("d", kind="labels", distances=better),
    ]  # fmt: skip
    told = lead([task_view(each.task.name, each.to_json(), 1) for each in results])
    assert told.sentence == (
        "Even in its best condition the model is further from people than answering at random on 2 of 3 surveys, "
        "closer to people than answering at random on 1; and better than answering at random on 1 of 1 other task."
    )
    details = " ".join(told.details)
    assert "the model is behind on Title of a (population-mean), Title of b (population-mean)" in details
    assert "Naming the country in the prompt helps on 2 and harms on 0 of 2 tasks." in details
    assert "worst in Japan (JP)" in details


@pytest.mark.parametrize(
    ("interval", "better", "turned", "said"),
    [
        ([0.1, 0.2], True, False, "ahead"), ([0.1, 0.2], False, False, "behind"), ([0.1, 0.2], True, True, "behind"),
        ([-0.2, -0.1], False, False, "ahead"), ([-0.2, -0.1], False, True, "behind"),
        ([-0.1, 0.1], True, False, "level"),
        (None, True, False, None), ([0.1, None], True, False, None), ([0.1, 0.2], None, False, None),
    ],
)  # fmt: skip
def test_who_is_ahead(interval: Any, better: bool | None, turned: bool, said: str | None) -> None:
    assert standing_of({"interval": interval, "higher_is_better": better}, turned=turned) == said


def test_a_difference_that_does_not_survive_correction_says_so() -> None:
    found = report_of(task_result())
    pair = {"a": "neutral", "b": "uniform", "metric": "distance", "difference": 0.3, "interval": [0.1, 0.5],
            "p": 0.03, "effect_dz": 0.5, "higher_is_better": False}  # fmt: skip
    for p, said in ((0.2, "worse, not after Holm"), (0.01, "worse<")):
        found["tasks"]["toy"]["paired"] = [pair | {"p_holm": p}]
        assert said in render_report(found)


def test_undefined_values_are_said_to_be_so(pages: dict[str, str]) -> None:
    text = plain(pages["nothing"])
    assert text.count("not defined") > 20
    assert not re.search(r"\b(nan|None|null|inf)\b", text)
    assert "Nothing was measured that a verdict could rest on." in text
    assert "Place by place" not in text


def test_of_hundreds_of_places_the_picture_shows_the_ends_and_the_table_all(pages: dict[str, str]) -> None:
    page = pages["many"]
    text = plain(page)
    assert len(MANY) > 240
    assert f"… {len(MANY) - 20} more in the table" in text
    assert f"All {len(MANY)} places as a table" in text
    assert f"All {len(MANY)} places of the map" in text
    chart = page[page.index("Place by place") : page.index("places as a table")]
    assert chart.count('<td class="plot"><svg class="strip" height') == 20
    assert len(re.findall('class="tag-worst"', chart)) == 1
    assert chart.index("tag-worst") < chart.index('class="more"')
    assert len(page) < 3_000_000


def test_foreign_text_stands_there_as_text(pages: dict[str, str]) -> None:
    text = Page(pages["hostile"]).text
    assert SHOWN in text
    assert "W" * 200 not in text
    assert text.count("half a character") == 1


# -- offensive tasks -----------------------------------------------------------------------------------------


def planted(value: Any) -> Any:
    """A detail in every shape, with offences as texts and as names."""
    return {
        "examples": [{"text": OFFENSE, OFFENSE: 1}], OFFENSE: OFFENSE, "deep": {"a": {"b": {OFFENSE: [OFFENSE]}}},
        "calibration": {OFFENSE: [1], "bins": [{"confidence": OFFENSE, "right": 1, "rows": 1}]},
        "refusal_bounds": {"low": OFFENSE, "high": OFFENSE, "metric": OFFENSE}, "map": value,
    }  # fmt: skip


def test_no_text_of_an_offensive_task_is_shown() -> None:
    drawn = {"EG": [0, 1], "FR": [1, 1], OFFENSE: [2, 2]}
    plane = {"axes": [OFFENSE, OFFENSE], "people": drawn, "model": {OFFENSE: drawn, "neutral": drawn}}
    result = task_result(offensive=True, detail=planted(plane))
    for system in result.systems:
        system.detail.update(planted(plane))
    page = render_report(report_of(result))
    assert OFFENSE not in page
    assert plain(page).count(OFFENSIVE) == 1
    assert "first axis" in page


def test_texts_of_other_tasks_are_shown_where_their_kind_gives_them() -> None:
    detail = {
        "examples": [{"question": "What is eaten?", "place": "EG", "reply": "<b>rice</b>"}],
        "scores": {"EG": {"pdi": 12.5, "idv": None}, "FR": {"pdi": 3.0, "idv": 4.0}}, "default_culture": "FR",
        "texts": {"neutral": {"EG": "tea", "FR": "wine", "JP": "rain"}}, "empty": [], "nested": {"a": {"b": {"c": 1}}},
    }  # fmt: skip
    result = task_result()
    result.systems[0].detail.update(detail)
    text = plain(render_report(report_of(result)))
    for said in ("neutral: examples", "What is eaten?", "Egypt (EG)", "<b>rice</b>", "12.5", "France (FR)", "wine"):
        assert said in text


# -- numbers and charts --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.35181, "0.352"), (1.4651, "1.47"), (23.14, "23.1"), (135.2, "135"), (1270, "1,270"), (0, "0.000"),
        (-0.04, "−0.040"), (0.00001234, "1.2e−05"), (None, "not defined"), (float("nan"), "not defined"),
        (float("inf"), "not defined"), (True, "not defined"), ("0.3", "not defined"), (10**400, "not defined"),
    ],
)  # fmt: skip
def test_numbers_have_sensible_digits(value: Any, said: str) -> None:
    assert report_text.number(value) == said


@given(st.floats(-1e12, 1e12))
def test_a_shown_number_is_close_to_the_number(value: float) -> None:
    shown = float(report_text.number(value).replace("−", "-").replace(",", ""))
    assert shown == pytest.approx(value, rel=0.06, abs=1e-300 if abs(value) < 0.001 else 0.0006)
    assert len(report_text.number(value)) <= 12


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20), st.booleans())
def test_a_scale_holds_its_values_and_has_few_round_ticks(values: list[float], zero: bool) -> None:
    scale = charts.scale_over(values, zero=zero)
    assert 2 <= len(scale.ticks) <= 8
    for value in [*values, *([0.0] if zero else [])]:
        slack = 1e-6 * (scale.high - scale.low)
        assert scale.low - slack <= value <= scale.high + slack
        assert charts.MARGIN <= scale.at(value) <= 100 - charts.MARGIN
    assert [scale.at(tick) for tick in scale.ticks] == sorted(scale.at(tick) for tick in scale.ticks)


def test_marks_stand_where_their_numbers_say() -> None:
    scale = charts.scale_over([0.0, 1.0])
    drawn = charts.strip([charts.Mark(0.25, (0.0, 0.5), "circle", "s-model")], scale, bar_to=0.25)
    assert re.search(r'<circle cx="26.50%"', drawn)  # 3 + 94 / 4
    assert re.search(r'<line x1="3.00%" x2="50.00%"[^>]*c-whisker', drawn)
    assert re.search(r'<rect x="3.00%" y="5" width="23.50%"', drawn)


def test_names_on_a_map_cover_neither_points_nor_each_other(pages: dict[str, str]) -> None:
    drawings = re.findall(
        r'<svg viewBox="0 0 (\d+) (\d+)"[^>]*class="(wide|narrow)">(.*?)</svg>', pages["many"], re.DOTALL
    )
    assert [each[2] for each in drawings] == ["wide", "narrow"] * 2
    for width, height, _, drawn in drawings:
        found = re.findall(r'<text x="([\d.]+)" y="([\d.]+)" text-anchor="middle" class="c-name">(\w+)<', drawn)
        names = [(float(x), float(y), 7.2 * len(name)) for x, y, name in found]
        assert 3 <= len(names) <= 40
        for i, (x, y, wide) in enumerate(names):
            assert 0 < x - wide / 2 < x + wide / 2 < float(width)
            assert 0 < y < float(height)
            assert all(abs(y - v) > 11 or abs(x - u) > (wide + w) / 2 for u, v, w in names[:i])


def test_the_terminal_shows_the_same(pages: dict[str, str]) -> None:
    from rich.console import Console

    from calm_lm.cli.report_display import show_report

    found = REPORTS["normal"]()
    found["subject"]["title"] = "A [red]model[/red] \x1b[31m"
    found["against"]["tasks"]["toy"]["conditions"]["neutral"]["title"] = "[/]"
    stream = io.StringIO()
    show_report(Console(file=stream, width=140), found)
    shown = " ".join(stream.getvalue().split())
    for said in ("A [red]model[/red] �[31m", "Even in its best condition the model is further", "kobbq",
                 "not claim: ar", "Stop rule (rules.yaml): fail", "no part passes", "[/]", "0.010"):  # fmt: skip
        assert said in shown


# -- in a browser -------------------------------------------------------------------------------------


@pytest.mark.slow
@needs_chromium
@pytest.mark.parametrize(("width", "height"), [(360, 800), (390, 844), (1280, 900)])
def test_nothing_overflows_and_nothing_is_cut(page: str, width: int, height: int, tmp_path: Path) -> None:
    wide, high, cut, sections = measure(tmp_path, page, width, height)
    assert wide <= width
    assert high > 1000
    assert cut == 0
    assert sections == page.count("<section ")


@pytest.mark.slow
@needs_chromium
@pytest.mark.parametrize(("width", "height"), [(390, 844), (1280, 900)])
def test_a_screenshot_shows_ink_and_charts(width: int, height: int, pages: dict[str, str], tmp_path: Path) -> None:
    from matplotlib.image import imread

    page = pages["normal"]
    part = page[: page.index("<header")] + "<main>" + page[page.index('<section id="task-1"') :]
    frame = f'<body style="margin:0"><iframe width="{width}" height="{height}" style="border:0" srcdoc="{{}}"></iframe>'
    (tmp_path / "frame.html").write_text("<!doctype html>" + frame.format(html.escape(part)))
    browse(tmp_path, tmp_path / "frame.html", f"--screenshot={tmp_path / 'shot.png'}")
    pixels = imread(tmp_path / "shot.png")[:height, :width, :3]
    assert len(np.unique(pixels.reshape(-1, 3).round(2), axis=0)) > 50
    accent = np.asarray([0x1F, 0x5F, 0xA8]) / 255
    assert (np.abs(pixels - accent).max(2) < 0.02).sum() > 100  # dots of the model
