from __future__ import annotations

import pytest
import torch

from calm_lm.errors import CalmError

TARGETS = ("q_proj", "v_proj")


def adapted(lm, seed=5, dropout=0.0):
    return lm.add_lora(range(1, 3), r=2, alpha=4, dropout=dropout, targets=TARGETS, seed=seed)


def shake(lm):
    """Deltas as after training: not zero."""
    generator = torch.Generator().manual_seed(0)
    lm.load_lora_state({k: torch.randn(v.shape, generator=generator) for k, v in lm.lora_state().items()})


def test_only_the_chosen_blocks_train_and_nothing_changes_at_the_start(tiny, texts):
    lm = tiny("llama")
    before, mask, _ = lm.hidden_states(texts, [1, 2, 3])
    parameters = adapted(lm)
    assert {name.split(".")[1] for name in lm.lora_state()} == {"1", "2"}
    assert len(parameters) == 2 * len(TARGETS) * 2
    trainable = [p for p in lm.model.parameters() if p.requires_grad]
    assert {id(p) for p in trainable} == {id(p) for p in parameters}
    assert torch.equal(lm.hidden_states(texts, [1, 2, 3]).states, before)
    shake(lm)
    after = lm.hidden_states(texts, [1, 2, 3]).states
    assert torch.equal(after[0], before[0])
    assert not torch.allclose(after[1][mask], before[1][mask])


def test_delta_is_the_formula(tiny):
    lm = tiny("llama")
    adapted(lm)
    shake(lm)
    state = lm.lora_state()
    projection = lm.trunk.blocks[1].self_attn.q_proj
    x = torch.randn(3, lm.d_model)
    low_rank = (
        (4 / 2) * state["layers.1.self_attn.q_proj.lora_B.weight"] @ state["layers.1.self_attn.q_proj.lora_A.weight"]
    )
    expected = x @ (projection.base_layer.weight + low_rank).T
    torch.testing.assert_close(projection(x), expected, rtol=1e-4, atol=1e-4)


def test_training_from_cached_states_moves_the_deltas_only(tiny, texts):
    lm = tiny("qwen3")
    parameters = adapted(lm)
    states, mask, _ = lm.hidden_states(texts, [1])
    frozen = lm.trunk.blocks[1].self_attn.q_proj.base_layer.weight.clone()
    optimizer = torch.optim.SGD(parameters, lr=1e-3)
    losses = []
    for _ in range(5):
        loss = lm.run_layers(states[0], mask, 1, 3)[mask].square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0]
    assert torch.equal(lm.trunk.blocks[1].self_attn.q_proj.base_layer.weight, frozen)


def test_state_travels_to_a_fresh_model_and_removal_restores_the_old_one(tiny, texts):
    lm, other = tiny("llama"), tiny("llama")
    before = lm.hidden_states(texts, [4]).states
    adapted(lm)
    shake(lm)
    adapted(other, seed=99)
    other.load_lora_state(lm.lora_state())
    assert torch.equal(other.hidden_states(texts, [4]).states, lm.hidden_states(texts, [4]).states)
    lm.remove_lora()
    assert lm.lora_state() == {}
    assert torch.equal(lm.hidden_states(texts, [4]).states, before)
    adapted(lm)
    assert torch.equal(lm.hidden_states(texts, [4]).states, before)


def test_seed_decides_the_start_and_torch_is_left_alone(tiny):
    starts = []
    for seed in (5, 5, 6):
        lm = tiny("llama")
        torch.manual_seed(0)
        adapted(lm, seed)
        starts.append((lm.lora_state(), torch.rand(1).item()))
    name = "layers.1.self_attn.q_proj.lora_A.weight"
    assert torch.equal(starts[0][0][name], starts[1][0][name])
    assert not torch.equal(starts[0][0][name], starts[2][0][name])
    torch.manual_seed(0)
    assert {after for _, after in starts} == {torch.rand(1).item()}


def test_dropout_works_between_train_true_and_train_false(tiny, texts):
    lm = tiny("llama")
    adapted(lm, dropout=0.5)
    shake(lm)
    states, mask, _ = lm.hidden_states(texts, [1])

    def twice():
        return [lm.run_layers(states[0], mask, 1, 3) for _ in range(2)]

    assert torch.equal(*twice())
    lm.train_lora()
    assert not torch.equal(*twice())
    lm.train_lora(False)
    assert torch.equal(*twice())


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda s: s.pop("layers.1.self_attn.q_proj.lora_A.weight"), "L22"),
        (lambda s: s.update(extra=torch.zeros(1)), "L22"),
        (lambda s: s.update({"layers.2.self_attn.v_proj.lora_B.weight": torch.zeros(3, 3)}), "L23"),
        (lambda s: s["layers.2.self_attn.v_proj.lora_B.weight"].fill_(float("nan")), "L24"),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(tiny, change, code):
    lm = tiny("llama")
    adapted(lm)
    good = lm.lora_state()
    bad = {name: value + 1 for name, value in good.items()}
    change(bad)
    with pytest.raises(CalmError) as caught:
        lm.load_lora_state(bad)
    assert caught.value.code == code
    assert all(torch.equal(lm.lora_state()[name], value) for name, value in good.items())


def test_what_cannot_be_adapted_is_named(tiny):
    lm = tiny("llama")
    with pytest.raises(CalmError, match=r"\[L20\]"):
        lm.add_lora(range(3, 5))
    with pytest.raises(CalmError, match=r"\[L20\]"):
        lm.add_lora(range(0))
    with pytest.raises(CalmError, match=r"\[L21\].*self_attn.q_proj"):
        lm.add_lora(range(2), targets=("query",))
    with pytest.raises(CalmError, match=r"\[L32\]"):
        lm.load_lora_state({})
    adapted(lm)
    with pytest.raises(CalmError, match=r"\[L31\]"):
        adapted(lm)
