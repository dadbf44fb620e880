"""What is written out for other harnesses runs there unchanged and gives the numbers that we give."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scripted import silent

from calm_lm.cli.main import main
from calm_lm.errors import CalmError
from calm_lm.evaluation.asking.asker import Asker
from calm_lm.evaluation.asking.conditions import parse_conditions
from calm_lm.evaluation.export.inspect import write_inspect
from calm_lm.evaluation.export.lm_eval import write_lm_eval
from calm_lm.evaluation.export.rows import export_rows
from calm_lm.evaluation.export.templates.calm_scores import Row, jensen_shannon, process_results, wasserstein
from calm_lm.evaluation.kinds.survey import run
from calm_lm.evaluation.tasks.plan import Plan
from calm_lm.evaluation.tasks.spec import Wanted, load_task
from calm_lm.stats.distances import jensen_shannon_rows, wasserstein_rows

CONDITIONS = parse_conditions(["neutral", "persona+country"])


def plan_of(items: int = 2, conditions=CONDITIONS) -> Plan:
    return Plan(Wanted(load_task("toy-survey"), items), conditions, replicates=10)


def shares(k: int):
    return arrays(np.float64, k, elements=st.floats(0.01, 1)).map(lambda values: values / values.sum())


@given(st.integers(2, 6).flatmap(lambda k: st.tuples(shares(k), shares(k))))
def test_the_scores_that_are_written_out_are_ours(pair):
    p, q = pair
    row = Row("q", "EG", True, p.tolist(), q.tolist())
    assert jensen_shannon([row]) == pytest.approx(jensen_shannon_rows(p[None], q[None])[0], abs=1e-7)
    assert wasserstein([row]) == pytest.approx(wasserstein_rows(p[None], q[None])[0], abs=1e-9)


def test_presentations_are_averaged_before_and_places_after_the_distance():
    rows = [
        Row("q1", "EG", True, [1.0, 0.0], [0.5, 0.5]), Row("q1", "EG", True, [0.0, 1.0], [0.5, 0.5]),  # together 0
        Row("q2", "EG", True, [1.0, 0.0], [0.0, 1.0]),  # 1
        Row("q1", "TR", True, [1.0, 0.0], [0.75, 0.25]), Row("q2", "TR", False, None, [0.5, 0.5]),  # 0.25
    ]  # fmt: skip
    assert wasserstein(rows) == pytest.approx((0.5 + 0.25) / 2)


def test_option_probabilities_become_shares():
    doc = {"question": "q", "culture": "EG", "ordinal": True, "people": [0.5, 0.5]}
    row = process_results(doc, [(np.log(0.03), False), (np.log(0.01), False)])["wasserstein"]
    assert row.shares == pytest.approx([0.75, 0.25])


def test_the_command_writes_into_an_empty_folder_only(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["export", "lm-eval", str(tmp_path / "out"), "--items", "2", "--conditions", "neutral,neutral+country"])
    assert stop.value.code in (0, None)
    assert {"calm_toy_survey_neutral.yaml", "calm_toy_survey_neutral_country.yaml", "calm_scores.py", "README.md"} <= {
        path.name for path in (tmp_path / "out").iterdir()
    }
    with pytest.raises(SystemExit) as stop:
        main(["export", "inspect", str(tmp_path / "out")])
    assert stop.value.code == 2
    assert "[R13]" in capsys.readouterr().err


def test_only_what_other_harnesses_can_score_is_written_out():
    with pytest.raises(CalmError, match="E99"):
        next(export_rows(plan_of(), parse_conditions(["neutral!reasoning"])[0]))


def test_every_place_has_its_rows_also_where_none_is_named():
    rows = list(export_rows(plan_of(), CONDITIONS[0]))
    assert len({row["id"] for row in rows}) == len(rows)
    assert len({row["culture"] for row in rows}) > 2
    assert all(sum(row["people"]) == pytest.approx(1) and len(row["answers"]) == len(row["people"]) for row in rows)


def ours(subject, plan: Plan, condition: int) -> dict[str, float]:
    systems = run(Asker(subject, None, silent), plan).to_json()["systems"]
    metrics = systems[plan.conditions[condition].name]["metrics"]
    return {name: metrics[name]["mean"] for name in ("jensen_shannon", "wasserstein")}


@pytest.mark.lm
@pytest.mark.slow
@pytest.mark.parametrize("chat", [True, False])
def test_the_harness_gives_our_numbers(tmp_path, embedded_lm, chat):
    import lm_eval
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    from calm_lm.evaluation.asking.subject import LocalSubject

    plan = plan_of()
    names = write_lm_eval(tmp_path, [plan], chat=chat)
    template = embedded_lm.tokenizer.chat_template
    harness = HFLM(pretrained=embedded_lm.model, tokenizer=embedded_lm.tokenizer, batch_size=8)
    found = lm_eval.simple_evaluate(
        harness, tasks=names, task_manager=TaskManager(include_path=str(tmp_path)), apply_chat_template=chat,
        bootstrap_iters=0,
    )["results"]  # fmt: skip
    try:
        embedded_lm.tokenizer.chat_template = template if chat else None
        subject = LocalSubject(embedded_lm)
        for place, name in enumerate(names):
            for metric, value in ours(subject, plan, place).items():
                assert found[name][f"{metric},none"] == pytest.approx(value, abs=1e-4)
    finally:
        embedded_lm.tokenizer.chat_template = template


@pytest.mark.lm
@pytest.mark.slow
def test_inspect_gives_our_numbers(tmp_path, embedded_lm, embedded_folder, monkeypatch):
    from inspect_ai import eval as inspect_eval

    from calm_lm.evaluation.asking.subject import SampledSubject
    from calm_lm.lm.local_chat import LocalChat

    plan = plan_of(conditions=CONDITIONS[:1])
    write_inspect(tmp_path, [plan])
    monkeypatch.chdir(tmp_path)
    arguments = {"model_path": str(embedded_folder), "device": "cpu", "do_sample": False}
    [log] = inspect_eval(
        "calm_tasks.py", model="hf/local", model_args=arguments, display="none", log_dir=str(tmp_path / "logs")
    )
    assert log.status == "success"
    found = {name: metric.value for score in log.results.scores for name, metric in score.metrics.items()}
    subject = SampledSubject(LocalChat(embedded_lm), "greedy", samples=1, temperature=0.0)
    told = run(Asker(subject, None, silent), plan).to_json()["systems"]["neutral"]
    assert found["no_answer"] == pytest.approx(told["figures"]["no_answer"]["value"])
    for metric in ("jensen_shannon", "wasserstein"):
        value = told["metrics"][metric]["mean"]
        assert np.isnan(found[metric]) if value is None else found[metric] == pytest.approx(value, abs=1e-6)


def test_what_is_written_out_imports_nothing_of_this_package(tmp_path):
    write_inspect(tmp_path, [plan_of()])
    for path in tmp_path.glob("*.py"):
        assert "calm_lm" not in path.read_text("utf-8").replace("calm-lm", "")
    sys.path.insert(0, str(tmp_path))
    try:
        import calm_parse

        assert calm_parse.read_reply("B.", ["A", "B"], ["no", "yes"]) == 1
        assert calm_parse.read_reply("La respuesta es B.", ["A", "B"], ["no", "sí"], "es") == 1
    finally:
        sys.path.remove(str(tmp_path))
    lines = Path(tmp_path / "data" / "calm_toy_survey_neutral.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    assert {"prompt", "answers", "texts", "labels", "language", "people"} <= set(rows[0])
