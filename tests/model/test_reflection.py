"""Self-prompts and the loop: draft, evidence, calibration, keep or revise, stop."""

from __future__ import annotations

import math
from itertools import combinations

import pytest
import torch
import torch.nn.functional as F

from calm_lm.model.batch import reading
from calm_lm.model.evidence import EvidenceReader, EvidenceRows, RecordStates
from calm_lm.model.loop import (
    EncodedPrompts,
    StatesOf,
    culture_slots,
    encode_prompts,
    prompt_reading,
    reference_states,
    reflect,
)
from calm_lm.model.norms import cite, different_claims, evidence_rows
from calm_lm.model.reflection import (
    Calibration,
    build_self_prompts,
    keep_second_answer,
    pair_of_dimensions,
    reflection_loss,
)

READERS, NAMES = ("AU", "GB", "SG", "US"), ("Australia", "Britain", "Singapore", "the States")
LABELS, DIMENSIONS = ("fine", "out_of_place", "varies"), ("context", "directness", "hierarchy", "self-construal")


@pytest.fixture
def prompts():
    return build_self_prompts(READERS, NAMES, LABELS, DIMENSIONS)


@pytest.fixture
def loop(network, texts, prompts):
    """Runs reflection over five rows; weights of the gate are open enough to move states."""

    def run(*, rounds=2, evidence=None, table=True, gate=0.5, readers=None, change=lambda network: None, **changes):
        made = network(**changes)
        torch.nn.init.constant_(made.calibration.gate[-1].bias, gate)
        change(made)
        batch, encoded = texts(), EncodedPrompts(prompts, texts(len(prompts.texts), seed=4))
        weights = torch.tensor(readers or [[1.0, 0, 0, 0], [0, 0.5, 0.5, 0], [0.0] * 4, [0, 0, 0, 1.0], [1.0, 0, 0, 0]])
        rows = reading(batch, weights, torch.arange(5))
        with torch.no_grad():
            source = encode_prompts(made, encoded, 0.2) if table else encoded
            encoding = made.encode(rows, 0.2)
            return (
                made, rows, encoding,
                reflect(made, rows, encoding, prompts, StatesOf(made, source, 0.2), evidence, rounds=rounds),
            )  # fmt: skip

    return run


# -- the finite set --------------------------------------------------------------------------------


def test_prompts_are_finite_and_numbered_in_their_order(prompts):
    assert len(prompts.texts) == (len(READERS) + 1) * 6 * len(LABELS) == len(set(prompts.texts))
    assert prompts.pairs == tuple(combinations(range(4), 2))
    assert prompts.readers == (*READERS, None)
    for c, name in enumerate([*NAMES, "no particular place"]):
        for p, (a, b) in enumerate(prompts.pairs):
            for y, label in enumerate(LABELS):
                text = prompts.texts[int(prompts.number(*(torch.tensor(i) for i in (c, p, y))))]
                words = (f"setting: {name}.", f"{DIMENSIONS[a]}, {DIMENSIONS[b]}.", label.replace("_", " "))
                assert all(word in text for word in words)
    assert len(build_self_prompts(("AU",), ("Australia",), ("a", "b"), ("context",)).texts) == 4


def test_the_pair_is_the_two_heaviest_dimensions(prompts):
    gate = torch.rand(50, 4, generator=torch.Generator().manual_seed(0)).softmax(-1)
    pairs = pair_of_dimensions(gate, prompts.pairs)
    for row, pair in zip(gate, pairs.tolist(), strict=True):
        assert set(prompts.pairs[pair]) == set(row.argsort(descending=True)[:2].tolist())
    assert pair_of_dimensions(torch.ones(3, 1), ((0, 0),)).tolist() == [0, 0, 0]


def test_prompts_are_read_by_the_culture_they_name(prompts, texts):
    encoded = EncodedPrompts(prompts, texts(len(prompts.texts)))
    rows = prompt_reading(encoded, torch.tensor([0, 18, 89, 1]), 4)
    assert rows.profiles[rows.profile_of].tolist() == [[1, 0, 0, 0], [0, 1, 0, 0], [0] * 4, [1, 0, 0, 0]]
    assert torch.equal(rows.texts.tokens[2], encoded.texts.tokens[89])


def test_cultures_of_a_row_are_its_blend_or_nobody(texts):
    rows = reading(texts(3), torch.tensor([[0.5, 0.5], [0.0, 0.0], [1.0, 0.0]]), torch.arange(3))
    assert culture_slots(rows).tolist() == [[0.5, 0.5, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]


# -- the reference ---------------------------------------------------------------------------------


def test_a_blends_reference_is_the_mix_of_its_cultures(network, prompts):
    table = torch.randn(len(prompts.texts), 16)
    slots = torch.tensor([[0.25, 0.75, 0, 0, 0], [0, 0, 0, 0, 1.0]])
    pair, label = torch.tensor([2, 5]), torch.tensor([1, 0])
    found = reference_states(prompts, slots, pair, label, StatesOf(network(), table, 0.2))
    number = [(c * 6 + 2) * 3 + 1 for c in (0, 1)]
    torch.testing.assert_close(found[0], 0.25 * table[number[0]] + 0.75 * table[number[1]])
    torch.testing.assert_close(found[1], table[(4 * 6 + 5) * 3])


def test_the_table_equals_live_encoding(loop):
    made, _, _, by_table = loop(table=True, stop_cosine=1.0)
    _, _, _, live = loop(table=False, stop_cosine=1.0)
    assert made.config.reflection
    for one, two in zip(by_table.rounds, live.rounds, strict=True):
        torch.testing.assert_close(one.moved, two.moved, rtol=1e-5, atol=1e-5)
        assert torch.equal(one.kept, two.kept)
    torch.testing.assert_close(by_table.logits, live.logits, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_evidence_is_attended_to_by_its_situation_and_read_by_its_norm():
    torch.manual_seed(0)
    reader = EvidenceReader(6, 5, 4, 0.0).double().eval()
    text, state, reference, views = (torch.randn(3, n, dtype=torch.float64) for n in (6, 4, 4, 6))
    states = reader.read(views, views.flip(0), views[:, :0])
    records = torch.tensor([[2, 0], [0, 0], [1, 0]])
    weight = torch.tensor([[0.75, 0.25], [0, 0], [1, 0]], dtype=torch.float64)
    evidence = EvidenceRows(states, records, weight, weight.max(1).values)
    found = reader(text, state, reference, evidence)
    for row in (0, 2):
        cited = [(int(r), float(w)) for r, w in zip(records[row], weight[row], strict=True) if w > 0]
        own = reader.situation(text[row])
        fit = [5 * float(F.cosine_similarity(own, reader.situation(views[r]), dim=0)) + math.log(w) for r, w in cited]
        shares = torch.tensor([*fit, 0.0], dtype=torch.float64).softmax(0)  # an untrained self-prompt scores 0
        torch.testing.assert_close(reader.attention(text, evidence)[row, : len(cited)], shares[:-1])
        said = [reader.say(torch.cat([reader.norm(views.flip(0)[r]), state[row]])) for r, _ in cited]
        expected = sum(s * v for s, v in zip(shares, [*said, reference[row]], strict=True))
        torch.testing.assert_close(found[row], expected)
    assert torch.equal(found[1], reference[1])  # nothing was found for it
    torch.testing.assert_close(reader.attention(text, evidence).sum(1), torch.ones(3, dtype=torch.float64))


def test_rows_without_evidence_leave_finite_gradients():
    reader = EvidenceReader(6, 5, 4, 0.0)
    views = torch.randn(2, 6)
    weight = torch.tensor([[1.0, 0, 0], [0, 0, 0]])
    states = reader.read(views, views, views[:, :0])
    evidence = EvidenceRows(states, torch.zeros(2, 3, dtype=torch.int64), weight, weight[:, 0])
    reader(views, torch.randn(2, 4), torch.randn(2, 4), evidence).square().sum().backward()
    assert all(bool(p.grad.isfinite().all()) for p in reader.parameters())
    assert all(bool(p.grad.any()) for p in reader.parameters())


def test_evidence_in_the_loop_moves_only_its_rows(loop):
    weight = torch.eye(5)[:, 2:3]
    states = RecordStates(torch.randn(1, 16), torch.randn(1, 16), torch.randn(1, 6))
    evidence = EvidenceRows(states, torch.zeros(5, 1, dtype=torch.int64), weight, weight[:, 0])
    sizes = {"evidence": True}
    plain, moved = (loop(evidence=found, rounds=1, sizes=sizes)[3].rounds[0].moved for found in (None, evidence))
    same = [torch.equal(one, two) for one, two in zip(plain, moved, strict=True)]
    assert same == [True, True, False, True, True]


def test_a_cited_second_answer_is_taken_though_it_is_less_sure(loop):
    """Records know more than the draft; where none are cited the surer answer stands."""
    states = RecordStates(torch.randn(1, 16), torch.randn(1, 16), torch.ones(1, 6))
    weight = torch.eye(5)[:, 2:3]
    evidence = EvidenceRows(states, torch.zeros(5, 1, dtype=torch.int64), weight, weight[:, 0])
    sizes = {"evidence": True}
    unvoted = loop(evidence=evidence, rounds=1, sizes=sizes)[3].rounds[0]
    assert unvoted.trust is None
    first, second = unvoted.second[2].topk(2).values

    def level(made):
        """The vote takes from the first label what it has more than the second one."""
        made.vote.coefficients[-1, int(unvoted.second[2].argmax())] = -(first - second) / torch.sigmoid(torch.ones(()))

    answer = loop(evidence=evidence, rounds=1, sizes=sizes, change=level)[3]
    (step,) = answer.rounds
    assert step.second[2].softmax(-1).max() < answer.draft[2].softmax(-1).max()
    assert bool(step.kept[2])
    assert torch.equal(answer.logits[2], step.second[2])
    others = [0, 1, 3, 4]
    assert torch.equal(step.second[others], unvoted.second[others])
    assert torch.equal(step.kept[others], unvoted.kept[others])
    assert step.trust[others].tolist() == [0.0] * 4


def test_a_network_that_reads_records_starts_as_one_that_does_not(network):
    without, reads = (network(sizes={"evidence": e}, started=False).state_dict() for e in (False, True))
    assert all(torch.equal(value, reads[name]) for name, value in without.items())
    assert {name.partition(".")[0] for name in reads.keys() - without.keys()} == {"evidence", "vote"}


def test_found_records_become_weights_that_sum_to_one(norms):
    from calm_lm.culture.blend import Blend

    found = cite(norms, ["a tip", "a tip", "no word"], [Blend.of("SG"), None, Blend.of("SG")], 3)
    assert [len(hits) for hits in found] == [2, 0, 0]
    claims = different_claims(found)
    assert claims == (("leaving a tip", "out of place"), ("paying at the counter", "fine"))
    states = RecordStates(torch.zeros(2, 2), torch.zeros(2, 2), torch.zeros(2, 3))
    evidence = evidence_rows(found, {claim: i for i, claim in enumerate(claims)}, states, 3)
    assert evidence.weight.tolist() == [[0.75, 0.25, 0], [0, 0, 0], [0, 0, 0]]
    assert evidence.score.tolist() == [found[0][0].score, 0, 0]
    assert evidence.records[0].tolist()[:2] == [0, 1]


# -- calibration, keep, stop -----------------------------------------------------------------------


def test_calibration_moves_between_state_and_reference():
    torch.manual_seed(0)
    calibration = Calibration(8, 6, 0.0).eval()
    state, reference = torch.randn(2, 5, 8)
    moved, gate = calibration(state, reference)
    share = (moved - state) / (reference - state)
    assert ((share > 0) & (share < 1)).all()
    torch.testing.assert_close(share.mean(-1), gate, rtol=1e-3, atol=1e-3)
    assert gate.max() < 0.3  # it starts nearly shut
    still, _ = calibration(state, state)
    assert torch.equal(still, state)


def test_a_second_answer_is_kept_if_it_is_not_less_sure():
    draft = torch.tensor([[0.6, 0.4], [0.6, 0.4], [0.6, 0.4], [0.5, 0.5]])
    second = torch.tensor([[0.3, 0.7], [0.45, 0.55], [0.4, 0.6], [0.5, 0.5]])
    assert keep_second_answer(draft, second).tolist() == [True, False, True, True]


@pytest.mark.parametrize("how", [{"reflection": False}, {"rounds": 0}])
def test_without_reflection_the_answer_is_exactly_the_draft(loop, how):
    made, rows, encoding, answer = loop(**how)
    assert answer.rounds == ()
    assert torch.equal(answer.logits, answer.draft)
    assert torch.equal(answer.state, encoding.state)
    expected = made.fuse(encoding.state, made.pool_texts(rows.texts)).delta
    assert torch.equal(answer.identity.delta, expected)
    torch.testing.assert_close(answer.draft, loop()[3].draft)


def test_a_row_ends_with_what_it_kept_last(loop):
    made, rows, encoding, answer = loop(stop_cosine=1.0)
    assert len(answer.rounds) == 2
    logits, state = answer.draft, encoding.state
    active = torch.ones(5, dtype=torch.bool)
    kept_any = torch.zeros(5, dtype=torch.bool)
    for step in answer.rounds:
        assert torch.equal(step.active, active)
        assert torch.equal(step.label, logits.argmax(-1))
        better = step.second.softmax(-1).max(-1).values >= logits.softmax(-1).max(-1).values
        assert torch.equal(step.kept, active & better)
        torch.testing.assert_close(step.cosine, F.cosine_similarity(step.moved, state))
        logits = torch.where(step.kept[:, None], step.second, logits)
        state = torch.where(step.kept[:, None], step.moved, state)
        active = step.kept & (step.cosine <= made.config.stop_cosine)
        kept_any |= step.kept
    assert torch.equal(answer.logits, logits)
    assert torch.equal(answer.state, state)
    torch.testing.assert_close(answer.identity.delta, made.fuse(state, made.pool_texts(rows.texts)).delta)
    assert kept_any.any()
    assert not kept_any.all() or not answer.rounds[1].kept.all()  # both ways occur


def test_a_state_that_hardly_moves_stops_the_row(loop):
    made, _, _, answer = loop(gate=-30.0, rounds=5)  # a gate that stays shut
    assert made.config.stop_cosine == 0.99
    assert len(answer.rounds) == 1
    assert (answer.rounds[0].cosine > 0.99).all()
    assert (answer.rounds[0].gate < 1e-6).all()


def test_rounds_are_bounded_and_end_when_every_row_has_stopped(loop):
    open_gate = {"gate": 3.0, "stop_cosine": 1.0}
    lengths = [len(loop(rounds=rounds, **open_gate)[3].rounds) for rounds in (1, 2, 16)]
    assert lengths[:2] == [1, 2]
    last = loop(rounds=16, **open_gate)[3]
    assert all(step.active.any() for step in last.rounds)
    for earlier, later in zip(last.rounds, last.rounds[1:], strict=False):
        assert not (later.active & ~earlier.active).any()  # who stopped stays stopped
        assert not (later.active & ~earlier.kept).any()


def test_reflection_loss_by_hand():
    logits = torch.tensor([[2.0, 0.0], [0.0, 0.0], [5.0, -5.0]], dtype=torch.float64)
    target = torch.tensor([[1.0, 0.0], [0.25, 0.75], [0.0, 1.0]], dtype=torch.float64)
    state = torch.tensor([[1.0, 0.0]] * 3, dtype=torch.float64, requires_grad=True)
    moved = torch.tensor([[0.0, 1.0]] * 3, dtype=torch.float64)
    right = torch.tensor([True, False, True])
    loss = reflection_loss(logits, target, right, state, moved, torch.tensor([1.0, 1.0, 0.0], dtype=torch.float64))
    first = torch.log1p(torch.tensor(2.0, dtype=torch.float64).neg().exp()) + 0.1  # moved by a right angle
    second = torch.log(torch.tensor(2.0, dtype=torch.float64))  # wrong before: free to move
    torch.testing.assert_close(loss, (first + second) / 2)
    assert not loss.requires_grad  # the old state is no target to train
