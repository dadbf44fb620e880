"""The folder of the cultural map: an invented one broken in every way, and the real one against published points."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calm_lm.errors import CalmError
from calm_lm.survey.inglehart_welzel import ITEMS, map_distance, project_answers, project_means
from calm_lm.survey.sources.iw_map import Composite, load

QUESTIONS = "Prompts_Questions.csv"
WORDINGS = "Prompts_Respondent_Descriptors.csv"
PARAMETERS = {
    "items": [item.lower() for item in ITEMS],
    "center": [2.0] * 10,
    "scale": [0.5, *[1.0] * 9],
    "weights": [[0.1, -0.2], *[[0.0, 0.0]] * 9],
    "se": 1,
    "sec": 2,
    "rc1": [10, 1],
    "rc2": [100, 2],
}
# the published means of four models' answers, projected: as the collection's own notes round them
GPT = {
    "gpt_S1_gpt35": (3.41, 0.78),
    "gpt_S2_gpt4": (2.83, -0.05),
    "gpt_S3_gpt4turbo": (2.76, -0.56),
    "gpt_S4_gpt4o": (2.40, 0.46),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    put(tmp_path, "country_coords.json", {"Peru": [0.5, -1.5], "North Ireland": [1, 2], "Taiwan ROC": [0, 0]})
    put(
        tmp_path,
        "wvs_country_composites.json",
        [{"country": "Peru", "sec": 0.25, "self": -0.5}, {"country": "Iraq", "sec": float("nan"), "self": 0.5}],
    )
    put(tmp_path, "iw_projection_final.json", PARAMETERS)
    put(tmp_path, QUESTIONS, "scale,prompt\n" + "".join(f'{item.lower()},"{item}?"\n' for item in reversed(ITEMS)))
    put(tmp_path, WORDINGS, "#variant,respondent_descriptor\nvariant 0,You are one.\nvariant 1,You are another.")
    return tmp_path


def put(folder: Path, name: str, content: Any) -> None:
    (folder / name).write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")


def test_the_invented_folder(folder: Path) -> None:
    found = load(folder)
    assert found.points == {"PE": (0.5, -1.5), "x-northern-ireland": (1, 2), "TW": (0, 0)}
    assert found.composites == {"PE": Composite(0.25, -0.5), "IQ": Composite(None, 0.5)}
    assert list(found.questions) == list(ITEMS)
    assert found.questions["Y003"] == "Y003?"
    assert found.descriptors == ("You are one.", "You are another.")
    middle = dict.fromkeys(ITEMS, 2.0) | {"A165": 1.5}
    assert project_means(found.projection, middle | {"A008": 3.0}) == pytest.approx((10 * 0.2 + 1, 100 * -0.4 + 2))


def test_the_order_of_items_in_the_file_does_not_matter(folder: Path) -> None:
    before = load(folder).projection
    turned = {name: PARAMETERS[name][::-1] for name in ("items", "center", "scale", "weights")}
    put(folder, "iw_projection_final.json", PARAMETERS | turned)
    assert load(folder).projection == before


def json_file(name: str, content: Any) -> Callable[[Path], None]:
    return lambda folder: put(folder, name, content)


def projection(**values: Any) -> Callable[[Path], None]:
    return json_file("iw_projection_final.json", PARAMETERS | values)


COORDS, COMPOSITES = "country_coords.json", "wvs_country_composites.json"
QUESTION_ROWS = "scale,prompt\n" + "".join(f"{item},?\n" for item in ITEMS)
# how to break the folder, code, row, field
WRONG = {
    "points are a list": (json_file(COORDS, [[1, 2]]), "V89", None, None),
    "three coordinates": (json_file(COORDS, {"Peru": [1, 2, 3]}), "V89", None, "Peru"),
    "text in a point": (json_file(COORDS, {"Peru": [1, "2"]}), "V89", None, "Peru"),
    "NaN in a point": (json_file(COORDS, {"Peru": [1, float("nan")]}), "V89", None, "Peru"),
    "true in a point": (json_file(COORDS, {"Peru": [1, True]}), "V89", None, "Peru"),
    "an unknown country": (json_file(COORDS, {"Atlantis": [1, 2]}), "V33", None, "Atlantis"),
    "one under two names": (json_file(COORDS, {"Bosnia": [1, 2], "U.S.A.": [1, 2], "US": [3, 4]}), "V81", None, "US"),
    "a country twice": (json_file(COORDS, '{"Peru": [1, 2], "Peru": [1, 2]}'), "F02", None, None),
    "cut JSON": (json_file(COORDS, '{"Peru": [1, 2'), "F02", None, None),
    "composites are no list": (json_file(COMPOSITES, {}), "V89", None, None),
    "a composite short": (json_file(COMPOSITES, [{"country": "Peru", "sec": 1}]), "V89", None, "entry 1"),
    "a composite of text": (
        json_file(COMPOSITES, [{"country": "Peru", "sec": "x", "self": 1}]), "V89", None, "Peru, sec",
    ),
    "a composite twice": (
        json_file(COMPOSITES, [{"country": "Peru", "sec": 1, "self": 1}] * 2), "V81", None, "entry 2, country",
    ),
    "no projection": (json_file("iw_projection_final.json", []), "V89", None, "items"),
    "other items": (projection(items=["a"] * 10), "V89", None, "items"),
    "items are no list": (projection(items="a008"), "V89", None, "items"),
    "a short centre": (projection(center=[1.0]), "V89", None, "center"),
    "text in a scale": (projection(scale=["x"] * 10), "V70", None, "scale"),
    "no offset": (projection(rc1=[1]), "V70", None, "rc1"),
    "components from 0": (projection(se=0), "V76", None, "se, sec"),
    "an unknown question": (json_file(QUESTIONS, QUESTION_ROWS + "z9,?\n"), "V89", 12, "scale"),
    "a question twice": (json_file(QUESTIONS, QUESTION_ROWS + "a008,?\n"), "V89", 12, "scale"),
    "a question short": (json_file(QUESTIONS, "scale,prompt\na008,?\n"), "V89", None, "scale"),
    "no wording": (json_file(WORDINGS, "#variant,respondent_descriptor\n"), "V89", None, "respondent_descriptor"),
    "wordings without a header": (json_file(WORDINGS, "variant 0,You\n"), "D22", 1, "#variant"),
    "no file": (lambda folder: (folder / WORDINGS).unlink(), "D14", None, None),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_broken_folder(folder: Path, name: str) -> None:
    spoil, code, row, field = WRONG[name]
    spoil(folder)
    with pytest.raises(CalmError) as caught:
        load(folder)
    assert (caught.value.code, caught.value.row, caught.value.field) == (code, row, field)
    assert caught.value.file


def test_the_real_folder(data_dir: Path) -> None:
    found = load(data_dir / "iw-cultural-map")
    assert (len(found.points), len(found.composites)) == (107, 63)
    assert {each for each in found.points if each.startswith("x-")} == {"x-northern-cyprus", "x-northern-ireland"}
    assert set(found.composites) < set(found.points)
    assert len(found.descriptors) == 10
    assert all("Question:" in found.questions[item] for item in ITEMS)


@pytest.mark.parametrize("name", GPT)
def test_the_real_projection_gives_the_published_models_points(data_dir: Path, name: str) -> None:
    found = load(data_dir / "iw-cultural-map")
    with (data_dir / "iw-cultural-map" / "tao_osf" / f"{name}.csv").open(encoding="utf-8") as stream:
        rows = [[float(row[item.lower()]) for item in ITEMS] for row in csv.DictReader(stream)]
    estimate = project_answers(found.projection, rows)
    assert estimate.point == pytest.approx(GPT[name], abs=0.01)
    means = dict(zip(ITEMS, np.mean(rows, axis=0).tolist(), strict=True))
    assert project_means(found.projection, means) == pytest.approx(estimate.point)
    nearest = map_distance({"SE": estimate.point, "EG": estimate.point}, found.points)
    assert nearest.shared.only_model == ("EG",)  # the published map lacks Egypt
    assert nearest.by_country["SE"].raw > 0
