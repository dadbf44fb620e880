"""Tasks whose questions are in several languages: each is asked of who reads it, the others are left out and named."""

from __future__ import annotations

import json

import pytest
from scripted import Scripted, silent

from calm_lm.data.benchmarks.care import CATEGORIES
from calm_lm.data.benchmarks.registry import load_dataset
from calm_lm.errors import CalmError
from calm_lm.evaluation.asking.asker import Asker
from calm_lm.evaluation.asking.conditions import parse_conditions
from calm_lm.evaluation.asking.question import Choice, ChoiceAnswer
from calm_lm.evaluation.suite import SuiteOptions, run_suite
from calm_lm.evaluation.tasks.spec import Suite, Wanted, load_task
from calm_lm.lm.answer_cache import AnswerCache

NEUTRAL = ("neutral",)


def run(folder, task: str, main: Scripted, routed=None, *, judge: Scripted | None = None, allow: bool = False):
    conditions = parse_conditions(NEUTRAL)
    options = SuiteOptions(
        folder / "out", conditions, folder, allow_language=allow, replicates=100, language_models=routed or {}
    )
    suite = Suite("mine", "Mine.", NEUTRAL, (Wanted(load_task(task), presentations=1),))
    with AnswerCache(folder / "answers.sqlite") as cache:
        asked = None if judge is None else Asker(judge, None, silent)
        report = run_suite(main, suite, options, cache, judge=asked, progress=silent)
    json.dumps(report, allow_nan=False)
    return report


@pytest.fixture
def genil(tmp_path):
    """Forty invented sentences a language, the later half of which generalise."""
    (tmp_path / "genil").mkdir()
    for language in ("ar", "es", "hi"):
        lines = [f"{language} {i}.,{int(i >= 20)},pueblo,old" for i in range(40)]
        text = "\n".join(["sentence,generalizing,identity,attribute", *lines])
        (tmp_path / f"genil/{language}.csv").write_text(text)
    return tmp_path


def knowing(asked: Choice) -> ChoiceAnswer:
    """Right on every sentence."""
    number = int(asked.prompt.user.split(".")[0].split()[-1])
    yes = 0.2 + 0.6 * (number >= 20)
    return ChoiceAnswer((1 - yes, yes), mass=1.0)


def mistaken(asked: Choice) -> ChoiceAnswer:
    """Wrong on every sentence."""
    return ChoiceAnswer(tuple(reversed(knowing(asked).shares)), mass=1.0)


def test_genil_is_asked_in_the_languages_that_somebody_reads(genil):
    main, second = Scripted(mistaken, languages=("en", "es")), Scripted(knowing, languages=("ar",), name="two")
    report = run(genil, "genil-languages", main, {"ar": second})
    task = report["tasks"]["genil-languages"]
    assert task["asked"]["languages_left_out"] == ["bn", "fr", "hi", "id", "ms", "pt"]
    score = task["systems"]["neutral"]["metrics"]["ranked"]
    # each model is ranked within its own language
    assert {name: each["value"] for name, each in score["by_culture"].items()} == {"ar": 1, "es": 0}
    assert {asked.asked_in for asked in main.asked} == {"es"}
    assert {asked.asked_in for asked in second.asked} == {"ar"}
    assert {asked.language for asked in main.asked + second.asked} == {"en"}  # the sentences around the text
    assert task["systems"]["neutral"]["answered_by"] == {"ar": "scripted"}
    assert any("no file for bn" in note for note in task["asked"]["notes"])
    assert report["unsupported_languages"] == []


def test_base_rates_are_those_of_the_languages_asked(genil):
    lines = [f"hi {i}.,{int(i >= 4)},pueblo,old" for i in range(400)]  # not asked, and nearly all of it generalises
    (genil / "genil/hi.csv").write_text("\n".join(["sentence,generalizing,identity,attribute", *lines]))
    asked = run(genil, "genil-languages", Scripted(knowing, languages=("en", "ar", "es")))["tasks"]["genil-languages"]
    assert (asked["asked"]["items"], asked["asked"]["items_at_hand"]) == (80, 80)
    (rate,) = asked["systems"]["base-rate"]["detail"]["calibration"]
    assert rate["confidence"] == pytest.approx(0.5)  # of Arabic and Spanish together


def test_genil_in_other_languages_is_left_out_for_who_reads_english_alone(genil):
    main = Scripted(knowing)
    assert "E35" in run(genil, "genil-languages", main)["left_out"]["genil-languages"]
    assert not main.asked
    report = run(genil, "genil-languages", main, allow=True)
    assert report["unsupported_languages"] == sorted(load_task("genil-languages").languages)
    assert set(report["tasks"]["genil-languages"]["cultures"]) == {"ar", "es", "hi"}


def test_sampled_answers_are_smoothed_by_who_gave_them(genil):
    sampling = Scripted(lambda asked: ChoiceAnswer((0.0, 1.0), samples=5), languages=("ar",), name="two")
    sampling.exact, sampling.settings = False, {"samples": 5}
    exact = Scripted(lambda asked: ChoiceAnswer((0.0, 1.0), mass=1.0), languages=("en", "es"))
    report = run(genil, "genil-languages", exact, {"ar": sampling})
    bins = report["tasks"]["genil-languages"]["systems"]["neutral"]["detail"]["calibration"]
    # one presentation of five samples: (5 + 0.5) / (5 + 1); read probabilities stay what they are; both in the top bin
    assert [each["rows"] for each in bins] == [80]
    assert bins[0]["confidence"] == pytest.approx((5.5 / 6 + 1) / 2)


def test_genil_rows_tell_their_language_and_one_sentence_is_one_group_in_its_language(genil):
    rows = load_dataset("genil-languages", genil).splits["test"]
    assert len({row.id for row in rows}) == len({row.group for row in rows}) == 120
    assert {row.tag("language") for row in rows} == {"ar", "es", "hi"}
    assert all(row.about is None for row in rows)


def test_real_genil_has_the_published_sizes_in_every_language(data_dir):
    rows = load_dataset("genil-languages", data_dir).splits["test"]
    positive = {name: sum(row.label for row in rows if row.tag("language") == name) for name in ("ar", "hi", "fr")}
    assert len(rows) == 50_838 - 11_422
    assert sum(row.label for row in rows) == 2_982 - 874
    assert positive == {"ar": 246, "hi": 95, "fr": 391}


def test_care_is_answered_by_the_model_of_each_language_and_a_judge_that_judges_itself_is_told(tmp_path):
    (tmp_path / "care-test").mkdir()
    for language in ("Arabic", "Japanese"):
        items = [
            {"question": f"{language} {name}?", "answer": f"right {language}", "culture_type": name,
             "associated_culture": "Native", "geographic_scope": "Nationwide"}
            for name in CATEGORIES
        ]  # fmt: skip
        (tmp_path / "care-test" / f"{language}-test.json").write_text(json.dumps(items))
    main = Scripted(write=lambda asked: ["nothing"])
    grade = Scripted(
        write=lambda asked: ['{"score": 5, "reason": "so"}' if asked.id.startswith("judge/") else "text"],
        languages=("ar",), name="two",
    )  # fmt: skip
    task = run(tmp_path, "care", main, {"ar": grade}, judge=grade)["tasks"]["care"]
    assert task["cultures"] == ["ar"]
    assert task["asked"]["languages_left_out"] == ["zh", "ja"]
    assert task["asked"]["judges_itself"]
    assert not main.asked
    assert task["systems"]["neutral"]["answered_by"] == {"ar": "scripted"}


def test_a_route_that_nobody_reads_ends_the_run_before_it_begins(genil):
    main, second = Scripted(knowing), Scripted(knowing, languages=("en",), name="two")
    with pytest.raises(CalmError) as error:
        run(genil, "genil-languages", main, {"ar": second})
    assert error.value.code == "E35"
    assert not main.asked
