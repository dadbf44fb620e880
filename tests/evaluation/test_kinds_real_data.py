"""Every task with closed answers runs on the real data, and a subject that sees no difference is at chance."""

from __future__ import annotations

import json
import math

import pytest
from scripted import Scripted, silent, uniform

from calm_lm.evaluation.asking.asker import Asker
from calm_lm.evaluation.asking.conditions import parse_conditions
from calm_lm.evaluation.kinds.registry import kind_of
from calm_lm.evaluation.tasks.plan import Plan
from calm_lm.evaluation.tasks.spec import Wanted, load_task

CONDITIONS = parse_conditions(["neutral", "neutral+country", "persona+country"])
CHANCE = {
    "blend-choice": 0.25,
    "blend-statements": 0.5,
    "crehate": math.log(2),
    "crows-pairs": 0.5,
    "emgsd": 0.5,
    "genil": 0.5,
    "kobbq": 1 / 3,
    "seegull": math.log(2),
}


@pytest.mark.parametrize("name", [*sorted(CHANCE.keys() - {"emgsd"}), pytest.param("emgsd", marks=pytest.mark.slow)])
def test_no_difference_is_chance_on_the_real_rows(data_dir, name):
    task = load_task(name)
    subject = Scripted(uniform, likelihood=lambda text: -1.0, languages=())
    result = kind_of(task.kind)(
        Asker(subject, None, silent), Plan(Wanted(task, items=12), CONDITIONS, data_dir, replicates=20)
    )
    found = result.to_json()
    json.dumps(found, allow_nan=False)
    models = [system for system in found["systems"].values() if system["role"] == "model"]
    assert models
    for system in models:
        assert system["metrics"][task.metric]["mean"] == pytest.approx(CHANCE[name])
    assert any(system["role"] == "baseline" for system in found["systems"].values())
    assert len(result.rows()["questions"]) == found["rows"]
    assert not task.offensive or not set(result.rows()["questions"]) & set(result.table.questions)
    assert len({name for name, _ in result.texts}) == len(result.texts) > 0
