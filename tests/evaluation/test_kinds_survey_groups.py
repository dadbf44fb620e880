"""Groups within a country, judged on the synthetic survey by subjects whose answers are planted."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from scripted import Scripted, silent, uniform

from calm_lm.errors import CalmError, UnavailableError
from calm_lm.evaluation.asking.asker import Asker
from calm_lm.evaluation.asking.conditions import NEUTRAL, parse_conditions
from calm_lm.evaluation.asking.pool import Pooled
from calm_lm.evaluation.asking.question import Choice, ChoiceAnswer
from calm_lm.evaluation.export.rows import export_rows
from calm_lm.evaluation.kinds.survey import baselines, choose_rows, read_survey, run
from calm_lm.evaluation.kinds.survey_groups import (
    FEWEST_PEOPLE,
    add_group_figures,
    group_facts,
    group_notes,
    group_rows,
    people_apart,
)
from calm_lm.evaluation.kinds.survey_rows import SurveyRows, score_rows
from calm_lm.evaluation.pages.report_text import culture_and_id, culture_name
from calm_lm.evaluation.result import System
from calm_lm.evaluation.table import Table
from calm_lm.evaluation.tasks.plan import Plan
from calm_lm.evaluation.tasks.spec import Wanted, load_suite, load_task
from calm_lm.stats.distances import jensen_shannon_rows
from calm_lm.survey.cell import Cell
from calm_lm.survey.distribution import ResponseDistribution
from calm_lm.survey.item import Option, SurveyItem
from calm_lm.survey.sources.wvs7 import wvs7_codebook
from calm_lm.survey.toy import toy_groups

CONDITIONS = parse_conditions(["neutral", "persona+country", "persona+profile"])
ITEM = SurveyItem("tea", "Tea?", (Option("1", "yes"), Option("2", "no")), "nominal")


def plan_of(*, items: int | None = 4, conditions=CONDITIONS, **settings) -> Plan:
    task = load_task("toy-survey-groups")
    if settings:
        task = task.model_copy(update={"settings": settings})
    return Plan(Wanted(task, items, 1), conditions, replicates=100)


def cell(country: str, *groups: tuple[str, str], share: float, n: float | None = 100.0) -> ResponseDistribution:
    return ResponseDistribution("tea", Cell(country, groups), (share, 1 - share), n_effective=n)


def two_groups() -> SurveyRows:
    """Invented: women of one place say yes more often than men; a second place has one group alone."""
    all_ = cell("SG", share=0.5)
    return SurveyRows([
        SurveyRows.Row(ITEM, cell("MY", ("sex", "male"), share=0.9), cell("MY", share=0.6)),
        SurveyRows.Row(ITEM, cell("SG", ("sex", "female"), share=0.8), all_),
        SurveyRows.Row(ITEM, cell("SG", ("sex", "male"), share=0.2), all_),
    ])  # fmt: skip


def figures_of(rows: SurveyRows, shares: list[float]) -> dict:
    answers = [Pooled(np.array([share, 1 - share])) for share in shares]
    system = System("persona+profile", "persona", "model", score_rows(rows, answers))
    table = Table([row.item.id for row in rows], [row.culture for row in rows], replicates=20)
    add_group_figures(system, rows, answers, table)
    return {**system.figures, "by_country": system.detail["groups_apart"]}


def js(a: float, b: float) -> float:
    return float(jensen_shannon_rows(np.array([[a, 1 - a]]), np.array([[b, 1 - b]]))[0])


def test_distance_between_groups_by_hand():
    found = figures_of(two_groups(), [0.5, 0.6, 0.4])
    assert found["groups_apart"]["model"] == pytest.approx(js(0.6, 0.4))
    assert found["groups_apart"]["people"] == pytest.approx(js(0.8, 0.2))
    assert found["groups_apart"]["value"] == pytest.approx(js(0.6, 0.4) / js(0.8, 0.2))
    assert found["by_country"] == {"SG": pytest.approx({
        "model": js(0.6, 0.4), "people": js(0.8, 0.2), "ratio": js(0.6, 0.4) / js(0.8, 0.2),
    })}  # fmt: skip  # one group alone has nothing to be apart from


@pytest.mark.parametrize(
    ("shares", "own"),
    [([0.6, 0.4], 1.0), ([0.4, 0.6], 0.0), ([0.7, 0.7], 0.5), ([0.5, 0.5], 0.5), ([0.7, 0.65], 0.5)],
)
def test_only_differences_in_the_direction_of_people_count_as_told_apart(shares, own):
    """The same for both is a coin's toss, whatever it is; a caricature of the wrong sign is worse than that."""
    assert figures_of(two_groups(), [0.5, *shares])["own_group"]["value"] == pytest.approx(own)


def test_the_baseline_of_everyone_and_of_the_other_groups():
    found = {name: [each.shares for each in given] for name, _, given in baselines(two_groups())}
    assert [each[0] for each in found["everyone"]] == pytest.approx([0.6, 0.5, 0.5])
    assert found["population-mean"][1][0] == pytest.approx((0.9 + 0.2) / 2)


def test_sampling_alone_pushes_groups_apart_by_less_the_more_were_asked():
    plan = plan_of()
    small, large = (people_apart(choose_rows(thick(survey_of(n)), plan), plan)["groups_of_people"] for n in (40, 4000))
    assert small["distance"] == pytest.approx(large["distance"])
    assert small["by_sampling_alone"] > 5 * large["by_sampling_alone"] > 0


def survey_of(n: int):
    survey = toy_groups(("sex", "age"))
    return replace(survey, distributions=tuple(replace(each, n_effective=float(n)) for each in survey.distributions))


def thick(survey):
    return survey.select(countries=survey.countries[:2])


def answer_like(plan: Plan, rows: SurveyRows):
    known = {(row.item.id, row.culture): row.people.shares for row in rows}
    known |= {(row.item.id, row.country): row.everyone.shares for row in rows if row.everyone}

    def choose(asked: Choice) -> ChoiceAnswer:
        _, item, _, culture = asked.id.split("/")
        return ChoiceAnswer(known[item, culture], mass=0.9) if culture else uniform(asked)

    return Scripted(choose)


def test_sampling_alone_takes_the_size_of_either_side():
    """Two large groups, and a large beside a small one: chance alone pushes only the second two apart."""
    all_ = cell("SG", share=0.5)
    chance = []
    for n in (20_000.0, 40.0):
        rows = SurveyRows([
            SurveyRows.Row(ITEM, cell("SG", ("sex", "female"), share=0.5, n=20_000.0), all_),
            SurveyRows.Row(ITEM, cell("SG", ("sex", "male"), share=0.5, n=n), all_),
        ])  # fmt: skip
        found = [people_apart(rows, replace(plan_of(), seed=seed))["groups_of_people"] for seed in range(20)]
        chance.append(np.mean([each["by_sampling_alone"] for each in found]))
    rng = np.random.default_rng(0)
    one, other = rng.binomial(20_000, 0.5, 2_000) / 20_000, rng.binomial(40, 0.5, 2_000) / 40
    assert chance[0] < 0.01
    assert chance[1] == pytest.approx(np.mean([js(a, b) for a, b in zip(one, other, strict=True)]), rel=0.12)


def test_groups_are_those_of_their_country_s_newest_wave():
    """An invented place where the newest wave did not ask for the sex of men: the older men are left out."""
    old, new = (replace(cell("SG", share=0.5), wave=wave, date=year) for wave, year in (("1", "2010"), ("2", "2020")))
    women, men = cell("SG", ("sex", "female"), share=0.8), cell("SG", ("sex", "male"), share=0.2)
    found = [old, replace(men, wave="1", date="2010"), replace(women, wave="1", date="2010"), new,
             replace(women, wave="2", date="2020")]  # fmt: skip
    kept = group_rows(ITEM, {"SG": new}, found, ["sex"])
    assert [(row.culture, row.people.wave) for row in kept] == [("SG, sex=female", "2")]


def test_a_model_that_knows_the_groups_and_one_that_knows_the_country():
    plan = plan_of(items=2)
    rows = choose_rows(read_survey(plan), plan)
    subject = answer_like(plan, rows)
    told = run(Asker(subject, None, silent), plan).to_json()
    json.dumps(told, allow_nan=False)
    groups, country = (told["systems"][name] for name in ("persona+profile", "persona+country"))
    assert groups["metrics"]["wasserstein"]["mean"] == pytest.approx(0, abs=1e-9)
    assert groups["figures"]["groups_apart"]["value"] == pytest.approx(1)
    assert groups["figures"]["own_group"]["value"] == pytest.approx(1)
    assert country["figures"]["groups_apart"]["value"] == pytest.approx(0)
    assert country["figures"]["own_group"]["value"] == pytest.approx(0.5)
    for metric, score in told["systems"]["everyone"]["metrics"].items():  # knowing the country is that baseline
        assert country["metrics"][metric]["mean"] == pytest.approx(score["mean"])
    # the same question is put once: of nobody, of 8 countries, of 46 groups
    asked = [each.id.split("/") for each in subject.asked]
    counts = {name: len({each[3] for each in asked if each[2] == name}) for name in {each[2] for each in asked}}
    assert counts == {"neutral": 1, "persona+country": 8, "persona+profile": 46}
    assert "a woman" in next(each.prompt.text for each in subject.asked if "sex=female" in each.id)
    assert set(groups["metrics"]["wasserstein"]["by_culture"]) == set(told["cultures"])
    assert "people-again" in told["systems"]
    assert "answers of groups" in told["asked"]["notes"][0]


def test_groups_of_few_people_are_left_out_and_counted():
    plan = plan_of()
    rows = choose_rows(read_survey(plan), plan)
    assert group_facts(rows, plan)["groups"] == {
        "by": ["sex", "age"], "judged": 46, "countries": 8, "fewest_people": FEWEST_PEOPLE, "answers_left_out": 8,
        "groups_left_out": ["x-toy-hazel, age=16 to 29, sex=female", "x-toy-hazel, age=16 to 29, sex=male"],
    }  # fmt: skip
    assert "8 of 192 answers of groups" in group_notes(rows)[0]
    assert "x-toy-hazel, age=16 to 29, sex=male" not in {row.culture for row in rows}


def test_without_enough_people_anywhere_the_task_is_left_out():
    survey = toy_groups(("sex", "age"))
    few = replace(survey, distributions=tuple(replace(each, n_effective=29.9) for each in survey.distributions))
    with pytest.raises(UnavailableError, match="E93"):
        choose_rows(few, plan_of())


@pytest.mark.parametrize("by", ["sex", ["sex", "sex"], ["hair"], {"sex": 1}])
def test_a_setting_that_names_no_fields_is_refused(by):
    with pytest.raises(CalmError, match="E92"):
        choose_rows(toy_groups(()), plan_of(by=by))


@pytest.mark.parametrize(("data", "by", "code"), [("menavalues", ["sex"], "V93"), ("toy", ["religion"], "V94")])
def test_a_survey_that_cannot_be_cut_says_so(data, by, code):
    task = load_task("toy-survey-groups").model_copy(update={"data": data, "settings": {"by": by}})
    with pytest.raises(CalmError, match=code):
        read_survey(Plan(Wanted(task), CONDITIONS))


def test_everyone_of_the_synthetic_survey_is_the_mixture_of_its_groups():
    survey = toy_groups(("sex", "age"))
    item, place = survey.distributions[0].item, "x-toy-birch"
    mine = [each for each in survey.by_item[item] if each.cell.country == place and each.wave == "2"]
    everyone = next(each for each in mine if not each.cell.groups)
    parts = [each for each in mine if each.cell.groups]
    mixed = sum(np.array(each.shares) * each.n for each in parts) / sum(each.n for each in parts)
    assert (len(parts), sum(each.n for each in parts)) == (6, everyone.n)
    assert everyone.shares == pytest.approx(tuple(mixed))


def test_written_out_for_other_harnesses_each_group_has_its_own_prompt():
    plan = plan_of(items=1)
    rows = list(export_rows(plan, CONDITIONS[2]))
    assert len(rows) == len({row["prompt"] for row in rows}) == len({row["id"] for row in rows}) == 46
    assert len({row["prompt"] for row in export_rows(plan, CONDITIONS[1])}) == 8


def test_names_of_groups_are_plain_on_the_page():
    assert culture_name("EG, age=16 to 29, marital_status=married") == "Egypt, age 16 to 29, marital status married"
    assert culture_and_id("EG, sex=female") == "Egypt (EG), sex female"
    assert culture_and_id("x-toy-aster, sex=male") == "toy aster (x-toy-aster), sex male"
    assert culture_name("made, up") == "made, up"  # an id of a user's data


def test_a_suite_may_ask_a_task_under_more_conditions():
    wanted = next(each for each in load_suite("full").tasks if each.task.name == "wvs7-groups")
    assert wanted.asked_under((NEUTRAL,)) == (NEUTRAL, *parse_conditions(["persona+profile"]))
    assert wanted.asked_under(CONDITIONS) == CONDITIONS


def brought(folder) -> None:
    """A World Values Survey and a WorldValuesBench in their published layouts; every person and answer is invented."""
    people = [
        (f"{country}{number}", country, number % 2, 20 if number < 80 else 60 if number < 150 else 40)
        for country in ("EGY", "TUR") for number in range(160)
    ]  # fmt: skip
    columns = list(wvs7_codebook().columns.values())
    lines = [",".join(["B_COUNTRY_ALPHA", "A_YEAR", "W_WEIGHT", "Q260", "Q262", *columns])]
    lines += [",".join([country, "2018", "1", str(1 + sex), str(age), *(["1", "2"][sex] for _ in columns)])
              for _, country, sex, age in people]  # fmt: skip
    (folder / "wvs7").mkdir()
    (folder / "wvs7" / "WVS_Cross-National_Wave_7_csv_v6_0.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    split = folder / "worldvaluesbench" / "full"
    split.mkdir(parents=True)
    scale = {"question": "On a scale of 1 to 2, tea?", "answer_data_type": "ordinal", "answer_scale_min": 1}
    metadata = {name: {**scale, "answer_scale_max": 2} for name in ("Q1", "Q2")}
    (split.parent / "question_metadata.json").write_text(json.dumps(metadata), encoding="utf-8")
    names = {"EGY": "Egypt", "TUR": "Turkey"}
    education = {20: "Bachelor or equivalent (ISCED 6)", 60: "Primary education (ISCED 1)", 40: ""}
    told = [f"{name}\t{names[land]}\t{['Urban', 'Rural'][sex]}\t{education[age]}" for name, land, sex, age in people]
    answers = [f"{name}\t{1 + sex}\t" for name, _, sex, _ in people]
    for file, header, rows in (
        ("full_demographic_qa.tsv", "D_INTERVIEW\tB_COUNTRY\tH_URBRURAL\tQ275", told),
        ("full_value_qa.tsv", "D_INTERVIEW\tQ1\tQ2", answers),
    ):
        (split / file).write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "group", "left_out"),
    [
        ("wvs7-groups", "EG, age=16 to 29, sex=male", ["EG, age=30 to 49, sex=male", "TR, age=30 to 49, sex=female"]),
        ("worldvaluesbench-groups", "TR, education=tertiary, settlement=rural", []),
        ("worldvaluesbench", "EG", None),
    ],
)
def test_surveys_that_a_user_brings_are_judged_by_group(tmp_path, name, group, left_out):
    brought(tmp_path)
    plan = Plan(Wanted(load_task(name), 2, 1), CONDITIONS, tmp_path, replicates=20)
    told = run(Asker(Scripted(uniform), None, silent), plan).to_json()
    assert group in told["cultures"]
    assert told["systems"]["uniform"]["metrics"]["modal_match"]["mean"] is not None
    if left_out is None:
        assert told["cultures"] == ["EG", "TR"]
        assert "everyone" not in told["systems"]
        return
    assert len(told["cultures"]) == told["asked"]["groups"]["judged"] == 8
    assert set(left_out) <= set(told["asked"]["groups"]["groups_left_out"])
    assert told["systems"]["people-again"]["role"] == "people"
