"""Declared tasks and suites: all of them load, and a user's own file is checked."""

from __future__ import annotations

import importlib.util
import inspect
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calm_lm.errors import CalmError
from calm_lm.evaluation.asking.conditions import NEUTRAL, parse_conditions
from calm_lm.evaluation.kinds.registry import KINDS, check_settings, kind_of
from calm_lm.evaluation.kinds.survey_groups import fields_of
from calm_lm.evaluation.result import TaskResult
from calm_lm.evaluation.summary import DIMENSIONS
from calm_lm.evaluation.table import Table
from calm_lm.evaluation.tasks.plan import Plan
from calm_lm.evaluation.tasks.spec import FOLDER, Wanted, load_suite, load_task, suite_names, task_names


@pytest.mark.parametrize("name", task_names())
def test_every_task_says_what_a_reader_of_its_score_must_know(name):
    task = load_task(name)
    assert task.name == name
    assert task.kind in KINDS
    assert task.dimension in DIMENSIONS
    assert task.licence
    assert all(len(text.split()) >= 3 for text in (task.card.assumes, task.card.labels_by, task.card.gaps))
    assert task.card.language.strip()


@pytest.mark.parametrize("name", suite_names())
def test_every_suite_loads_and_its_conditions_exist(name):
    suite = load_suite(name)
    assert suite.tasks
    assert parse_conditions(suite.conditions)[0] == NEUTRAL
    assert load_suite(name) == suite  # loading has no side effect on what was declared


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_has_its_module(name):
    assert importlib.util.find_spec(f"calm_lm.evaluation.kinds.{name}") is not None
    given = inspect.signature(kind_of(name)).parameters
    assert list(given)[:2] == ["asker", "plan"]
    assert given["norms"].default is given["judge"].default is None


def test_a_users_own_task_is_a_file(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        "name: mine\nkind: survey\ntitle: Mine\ndata: toy\nlicence: CC0-1.0\ncitation: me\nmetric: wasserstein\n"
        "card: {assumes: a, labels_by: b, language: English, gaps: c}\n"
    )
    assert load_task(str(path)).title == "Mine"


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("[]", None),
        ("name: x", "kind, title, data, licence, citation, metric, card"),
        ("name: x\nkind: survey\nfoo: 1", None),
        ("a: [", None),
        ("", None),
    ],
)
def test_a_file_that_declares_no_task_is_named_with_the_field(tmp_path, text, field):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(CalmError) as error:
        load_task(str(path))
    assert error.value.code == "E42"
    assert error.value.file == str(path)
    assert field is None or error.value.field == field


@pytest.mark.parametrize(("call", "code"), [(load_task, "E41"), (load_suite, "E43"), (kind_of, "E44")])
def test_unknown_names_are_answered_with_the_known_ones(call, code):
    with pytest.raises(CalmError) as error:
        call("no-such-thing")
    assert error.value.code == code


@given(st.lists(st.integers(0, 200), max_size=60, unique=True), st.integers(1, 40), st.integers(0, 3))
def test_a_sample_is_spread_over_the_parts_and_keeps_the_order(items, size, seed):
    plan = Plan(Wanted(load_task("toy-survey"), items=size), (NEUTRAL,), seed=seed)
    chosen = plan.sample(items, lambda item: str(item % 5))
    assert len(chosen) == min(size, len(items))
    assert [item for item in items if item in set(chosen)] == chosen
    assert chosen == plan.sample(items, lambda item: str(item % 5))
    taken, there = Counter(item % 5 for item in chosen), Counter(item % 5 for item in items)
    for part in there:  # a part falls behind another only when it is used up
        assert taken[part] == there[part] or taken[part] >= max(taken.values()) - 1


OWN = (FOLDER / "toy-survey-groups.yaml").read_text("utf-8")
GROWING = [f"&{b} [{','.join([f'*{a}'] * 9)}]" for a, b in pairwise("abcdefghi")]
NESTED = f"[&a [x,x,x,x,x,x,x,x,x],{','.join(GROWING)}]"


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[sex, age]", NESTED), ("[sex, age]", "&a [*a]"), ("data: toy", f"data: {NESTED}"), ("name: ", "name: ../../"),
        ("name: toy", "name: a/toy"), ("name: toy-survey-groups", "name: ''"), ("name: toy-survey-groups", "name: .."),
        ("kind: survey", "kind: gap\nkind: survey"), ("data: toy", "data: 2024-99-99"), ("data: toy", "data: !!bool x"),
        ("data: toy", "data: " + "[" * 20_000), ("data: toy", "data: " + "9" * 6_000), ("data: toy", "data: toy\0"),
        ("data: toy", "data: toy\ndimension: beauty"), ("data: toy", "data: toy\nlanguages: []"),
        ("data: toy", "data: toy\nlanguages: [xx]"), ("data: toy", "data: toy\ncultures: []"),
        ("data: toy", "data: toy #" + "x" * (2 << 20)), ("data: toy", "data: toy # \udcff"),
    ],
)  # fmt: skip
def test_a_hostile_task_file_is_refused_in_one_line(tmp_path, old, new):
    assert old in OWN
    path = tmp_path / "mine.yaml"
    path.write_bytes(OWN.replace(old, new).encode("utf-8", "surrogateescape"))
    with pytest.raises(CalmError) as error:
        load_task(str(path))
    assert error.value.code == "E42"
    assert error.value.file == str(path)
    assert len(str(error.value)) < 1_000


@pytest.mark.parametrize("name", task_names())
def test_what_our_own_tasks_set_is_known(name):
    check_settings(load_task(name))


@pytest.mark.parametrize(
    "by", [[["sex"]], [{"a": 1}], ["sex", 1], "sex", {"sex": 1}, None, [2**20_000]], ids=lambda by: type(by).__name__
)
def test_fields_that_are_none_are_named(by):
    task = load_task("toy-survey-groups").model_copy(update={"settings": {"by": by}})
    with pytest.raises(CalmError) as error:
        fields_of(Plan(Wanted(task), ()))
    assert error.value.code == "E92"


def test_a_headline_that_the_kind_does_not_have_is_named():
    task = load_task("toy-survey").model_copy(update={"metric": "beauty"})
    with pytest.raises(CalmError) as error:
        TaskResult(task, (), Table(["q"], ["SG"], seed=0, replicates=100), (), {})
    assert error.value.code == "E48"
