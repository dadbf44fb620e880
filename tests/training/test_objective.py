from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax, softmax

from calm_lm.errors import CalmError
from calm_lm.training.config import LossWeights, TrainConfig
from calm_lm.training.metrics_log import MetricsLog
from calm_lm.training.objective import Phase, Targets, TrainingPass, objective, phase_of, task_loss, without_dropped
from calm_lm.training.schedule import build_optimizer, learning_rate_share, set_learning_rate

WHOLE = Phase(task=True, reflect=True)
WEIGHTS = {"task": 0.9, "contrast": 0.2, "decouple": 0.3, "balance": 0.4, "dispatch": 0.5, "reflect": 0.6}


def make_pass(seed=0, rows=6, labels=3):
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    unit = torch.nn.functional.normalize
    leaves = {
        "task": draw(rows, 4), "explicit": draw(rows, 4), "latent": draw(rows, 4), "state": draw(rows, 4),
        "probabilities": draw(rows, 2, 3).softmax(-1), "explicit_view": unit(draw(rows, 4), dim=-1),
        "latent_view": unit(draw(rows, 4), dim=-1), "draft": draw(rows, labels), "second": draw(rows, labels),
        "calibrated": draw(rows, 4),
    }  # fmt: skip
    leaves = {name: value.requires_grad_() for name, value in leaves.items()}
    out = TrainingPass(chosen=torch.tensor([[[0], [1]], [[1], [2]]] * (rows // 2)), **leaves)
    targets = Targets(
        draw(rows, labels).softmax(-1), torch.tensor([1.0, 1, 0, 1, 1, 1]),
        torch.tensor([0, 1, 0, 1, 2, -1]), torch.tensor([2, 3, 0, 1, -1, -1]),
    )  # fmt: skip
    return out, targets


def config(**weights):
    return TrainConfig(weights=LossWeights(**(WEIGHTS | weights)))


def test_the_objective_is_the_weighted_sum_of_its_terms_computed_in_numpy():
    out, targets = make_pass()
    total, terms = objective(out, targets, config(), WHOLE, 0.07)
    part = {name: value.detach().numpy() for name, value in out._asdict().items() if value is not None}
    shares, counts, culture, partner = (t.numpy() for t in targets)

    def cosine(a, b):
        return (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)

    def nt_xent(views):
        losses = []
        for i, p in enumerate(partner):
            if p >= 0:
                others = [j for j in range(len(views)) if culture[j] != culture[i]]
                scores = np.array([views[i] @ views[p], *(views[i] @ views[j] for j in others)]) / 0.07
                losses.append(-log_softmax(scores)[0])
        return np.mean(losses)

    used = np.array([[np.mean(part["chosen"][:, c, 0] == e) for e in range(3)] for c in range(2)])
    second = -(shares * log_softmax(part["second"], -1)).sum(-1)
    right = part["draft"].argmax(-1) == shares.argmax(-1)
    drift = 1 - cosine(part["calibrated"], part["state"])
    probabilities = part["probabilities"]
    expected = {
        "task": (-(shares * log_softmax(part["draft"], -1)).sum(-1) * counts).sum() / 5,
        "decouple": np.mean([
            np.mean(cosine(part[a], part[b]) ** 2)
            for a, b in (("task", "explicit"), ("task", "latent"), ("explicit", "latent"))
        ]),
        "balance": np.mean([3 * (used[c] * probabilities[:, c].mean(0)).sum() for c in range(2)]),
        "dispatch": -(probabilities * np.log(probabilities)).sum(-1).mean() / math.log(3),
        "contrast_explicit": nt_xent(part["explicit_view"]),
        "contrast_latent": nt_xent(part["latent_view"]),
        "reflect": ((second + 0.1 * right * drift) * counts).sum() / 5,
    }  # fmt: skip
    assert {name: value.item() for name, value in terms.items()} == pytest.approx(expected)
    weighted = sum(WEIGHTS[name.partition("_")[0]] * value for name, value in expected.items())
    assert total.item() == pytest.approx(weighted)


@pytest.mark.parametrize(
    ("weight", "leaves"),
    [
        ("task", ["draft"]),
        ("contrast", ["explicit_view", "latent_view"]),
        ("decouple", ["task", "explicit", "latent"]),
        ("balance", []),
        ("dispatch", []),
        ("reflect", ["second", "calibrated"]),
    ],
)
def test_a_weight_of_zero_removes_the_gradient_of_its_term(weight, leaves):
    def gradients(**weights):
        out, targets = make_pass()
        total, _ = objective(out, targets, config(**weights), WHOLE, 0.07)
        total.backward()
        return {name: value.grad for name, value in out._asdict().items() if value is not None}

    whole, without = gradients(), gradients(**{weight: 0.0})
    for name, gradient in whole.items():
        if name in leaves:
            assert gradient.abs().sum() > 0
            assert without[name] is None or not without[name].any()
        elif name != "probabilities" and gradient is not None:
            assert torch.equal(gradient, without[name])
    if weight in ("balance", "dispatch"):
        other = {"balance": "dispatch", "dispatch": "balance"}[weight]
        assert not torch.equal(whole["probabilities"], without["probabilities"])
        assert not gradients(**{weight: 0.0, other: 0.0})["probabilities"]


def test_a_row_read_without_its_reader_is_no_anchor_and_no_positive_but_stays_a_negative():
    _, targets = make_pass()  # pairs 0-2 and 1-3
    changed = without_dropped(targets, torch.tensor([0.0, 0, 1, 0, 0, 0]))
    assert changed.partner.tolist() == [-1, 3, -1, 1, -1, -1]
    assert changed.culture.tolist() == [0, 1, -1, 1, 2, -1]
    assert changed.shares is targets.shares


def test_terms_wait_for_their_phase():
    out, targets = make_pass()
    _, settling = objective(out, targets, config(), Phase(task=False, reflect=False), 0.07)
    assert not {"task", "reflect"} & settling.keys()
    _, drafting = objective(out, targets, config(), Phase(task=True, reflect=False), 0.07)
    assert "task" in drafting
    assert "reflect" not in drafting


@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(-5, 5), st.floats(0, 1), st.booleans()), min_size=1, max_size=8))
def test_task_loss_is_the_mean_over_rows_that_have_a_target(rows):
    logits = torch.tensor([[a, b] for a, b, _, _ in rows], dtype=torch.float64)
    shares = torch.tensor([[s, 1 - s] if known else [0, 0] for *_, s, known in rows], dtype=torch.float64)
    counts = torch.tensor([float(known) for *_, known in rows], dtype=torch.float64)
    loss = task_loss(logits, Targets(shares, counts, counts.long(), counts.long()))
    known = [(softmax([a, b]), (s, 1 - s)) for a, b, s, k in rows if k]
    expected = np.mean([-np.dot(target, np.log(p)) for p, target in known]) if known else 0.0
    assert float(loss) == pytest.approx(expected, abs=1e-9)


# -- the schedule -----------------------------------------------------------------------------------------


def test_learning_rate_against_a_table_by_hand():
    """Ten steps, two of them rising: up to the peak at step 1, then linearly down, the last step at 1/8."""
    shares = [learning_rate_share(step, 10, 0.2) for step in range(10)]
    assert shares == pytest.approx([0.5, 1, 1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8])
    assert [learning_rate_share(step, 3, 0.0) for step in range(3)] == pytest.approx([1, 1, 0.5])
    assert [learning_rate_share(step, 4, 1.0) for step in range(4)] == pytest.approx([0.25, 0.5, 0.75, 1])
    assert learning_rate_share(0, 1, 0.1) == 1


def test_curriculum_phases():
    plan = TrainConfig(settle=0.2, reflect_from=0.5)
    phases = [phase_of(step, 10, plan) for step in range(10)]
    assert [p.task for p in phases] == [False] * 2 + [True] * 8
    assert [p.reflect for p in phases] == [False] * 5 + [True] * 5
    early = TrainConfig(settle=0.4, reflect_from=0.0)
    assert [phase_of(s, 5, early) for s in range(5)] == [Phase(False, False)] * 2 + [Phase(True, True)] * 3
    off = TrainConfig(weights=LossWeights(reflect=0))
    assert not phase_of(9, 10, off).reflect


def test_nothing_to_settle_starts_with_the_task():
    alone = LossWeights(contrast=0, decouple=0, balance=0, dispatch=0)
    assert phase_of(0, 10, TrainConfig(settle=0.5, weights=alone)).task
    with pytest.raises(ValueError, match="at least one weight"):
        LossWeights(task=0, contrast=0, decouple=0, balance=0, dispatch=0)


def test_decay_and_step_size_by_group():
    network = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.LayerNorm(2))
    lora = [torch.nn.Parameter(torch.zeros(2, 2))]
    plan = TrainConfig(learning_rate=0.1, lora_learning_rate=0.2, weight_decay=0.3)
    optimizer = build_optimizer(network, lora, plan)
    decayed, plain, adapted = optimizer.param_groups
    assert [p.shape for p in decayed["params"]] == [(2, 3)]
    assert len(plain["params"]) == 3
    assert (decayed["weight_decay"], plain["weight_decay"], adapted["weight_decay"]) == (0.3, 0.0, 0.3)
    set_learning_rate(optimizer, 0.5)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.05, 0.05, 0.1])
    assert len(build_optimizer(network, [], plan).param_groups) == 2


# -- the metrics log --------------------------------------------------------------------------------------


def test_the_log_is_cut_back_to_the_checkpoint(tmp_path):
    path = tmp_path / "run" / "metrics.jsonl"
    with MetricsLog(path, 0) as log:
        log.write({"step": 0})
        kept = log.flush()
        log.write({"step": 1})
        assert len(path.read_bytes().splitlines()) == 2  # a line is on the disk when write returns
    with path.open("ab") as stream:
        stream.write(b'{"st')
    with MetricsLog(path, kept) as log:
        log.write({"step": 1, "again": True})
    assert [json.loads(line) for line in path.read_text().splitlines()] == [{"step": 0}, {"step": 1, "again": True}]
    with MetricsLog(path, 0):
        pass
    assert path.read_bytes() == b""


def test_a_log_shorter_than_its_checkpoint_is_refused_and_kept(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b"12345")
    with pytest.raises(CalmError, match=r"\[T12\].*has 5 bytes"):
        MetricsLog(path, 9)
    assert path.read_bytes() == b"12345"


def test_a_log_refuses_what_is_no_json(tmp_path):
    with MetricsLog(tmp_path / "m", 0) as log, pytest.raises(ValueError, match="not JSON compliant"):
        log.write({"loss": math.nan})


def test_other_processes_keep_no_log(tmp_path):
    with MetricsLog(None, 7) as log:
        log.write({"step": 0})
        assert log.flush() == 0
    assert not list(tmp_path.iterdir())


def test_second_answers_are_held_to_the_targets_that_were_lent():
    out, targets = make_pass()
    order = torch.tensor([1, 0, 3, 2, 5, 4])
    lent = targets._replace(shares=targets.shares[order], counts=targets.counts[order])
    _, own_terms = objective(out, targets, config(), WHOLE, 0.07)
    _, terms = objective(out, targets, config(), WHOLE, 0.07, lent)
    _, moved = objective(out, lent, config(), WHOLE, 0.07)
    torch.testing.assert_close(terms["reflect"], moved["reflect"])
    assert not torch.isclose(terms["reflect"], own_terms["reflect"])
    assert all(torch.equal(terms[name], own_terms[name]) for name in terms if name != "reflect")
