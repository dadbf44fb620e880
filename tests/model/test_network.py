"""The whole forward: zero start, factored encoding, padding, batches, readers, and what each switch changes."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from calm_lm.model.batch import TextBatch, reading
from calm_lm.model.layers import weighted_mean
from calm_lm.model.loop import EncodedPrompts, StatesOf, reflect
from calm_lm.model.reflection import build_self_prompts, reflection_loss
from calm_lm.model.space import channel_weights, decoupling_loss

AU, GB, NOBODY = [1.0, 0, 0, 0], [0, 1.0, 0, 0], [0.0, 0, 0, 0]
HALF = [0.5, 0.5, 0, 0]


def answers(network, batch, readers, text_of=None):
    """State, draft logits and fused identity of rows."""
    readers = torch.tensor(readers)
    index = torch.arange(len(readers)) if text_of is None else torch.tensor(text_of)
    rows = reading(batch, readers, index)
    encoding = network.encode(rows, 0.2)
    identity = network.fuse(encoding.state, network.pool_texts(batch)[index])
    return encoding, identity, network.answer(rows, encoding.state, identity, encoding.task)


# -- zero start ----------------------------------------------------------------------------------


@pytest.mark.parametrize("training", [True, False])
def test_before_the_first_step_conditioned_states_are_the_backbones(network, texts, training):
    made, batch = network(started=False).train(training), texts()
    made.pooled_scale.fit(torch.randn(50, 32) * 7 + 3)
    _, identity, _ = answers(made, batch, [AU] * 5)
    assert torch.equal(made.condition(batch.tokens, identity), batch.tokens)
    assert torch.equal(identity.pooled + identity.delta, made.pool_texts(batch))


@torch.no_grad()
def test_before_the_first_step_the_answer_is_the_probes_bit_for_bit(network, texts):
    made, batch = network(started=False), texts()
    for values in made.probe.buffers():
        values.normal_()
    _, identity, logits = answers(made, batch, [AU, GB, NOBODY, HALF, AU])
    frozen = torch.cat([made.pooled_scale(identity.pooled), made.sentence_scale(batch.sentence)], -1)
    assert torch.equal(logits, made.probe(frozen, torch.tensor([AU, GB, NOBODY, HALF, AU])))


def test_after_a_change_they_are_not(network, texts):
    made, batch = network(), texts()
    _, identity, _ = answers(made, batch, [AU] * 5)
    moved = made.condition(batch.tokens, identity) - batch.tokens
    torch.testing.assert_close(moved, identity.delta.unsqueeze(1).expand_as(moved), atol=1e-5, rtol=1e-4)
    assert identity.delta.abs().min() > 0


@pytest.mark.lm
def test_zero_start_on_a_real_hidden_state(config):
    from calm_lm.lm.hf import HuggingFaceLM
    from calm_lm.model.config import Sizes
    from calm_lm.model.network import CalmNetwork
    from calm_lm.model.views import LiveViews

    lm = HuggingFaceLM.load("embedded")
    batch = LiveViews(lm, None, 16, 64)(["Guests in Japan take off their shoes.", "Nobody tips here."])
    sizes = Sizes(d_model=lm.d_model, d_sentence=0, n_labels=2, n_readers=4, n_cultures=0)
    made = CalmNetwork(config(), sizes).train()
    _, identity, _ = answers(made, batch, [AU, NOBODY])
    assert torch.equal(made.condition(batch.tokens, identity), batch.tokens)


# -- against a naive implementation ---------------------------------------------------------------


def naive_state(network, batch, readers, text_of):
    """Rows one by one, profile tokens put beside the text's own: task, explicit, latent and identity state."""
    found = []
    for weights, text in zip(readers, text_of, strict=True):
        tokens = network.scale(batch.tokens[text][batch.mask[text]])
        named = batch.explicit[text][batch.mask[text]]
        profile = sum(w * network.profile.tokens[r] for r, w in enumerate(weights) if w > 0)
        if sum(weights) > 0:
            tokens = torch.cat([tokens, profile])
            named_weight, other_weight = (
                torch.cat([w[0], torch.ones(len(profile))]) for w in split(named, network.config.explicit_salience)
            )
        else:
            named_weight, other_weight = (w[0] for w in split(named, network.config.explicit_salience))
        views = [head(tokens) for head in (network.space.task, network.space.explicit, network.space.latent)]
        pooled = [
            (view * weight.unsqueeze(1)).sum(0) / weight.sum()
            for view, weight in zip(views, (torch.ones(len(tokens)), named_weight, other_weight), strict=True)
        ]
        clusters = []
        for clusterer, view in ((network.cluster_explicit, views[1]), (network.cluster_latent, views[2])):
            share = (clusterer.head(view) / 0.2).softmax(-1)
            clusters.append(torch.stack([(share[:, k : k + 1] * view).sum(0) / share[:, k].sum() for k in range(5)]))
        aligned = network.pool(clusters[1].unsqueeze(0), clusters[0].unsqueeze(0))
        state = (aligned + network.experts(aligned)[0]).mean(1)[0]
        found.append((*pooled, *clusters, state))
    return [torch.stack(part) for part in zip(*found, strict=True)]


def split(named, salience):
    whole = torch.ones(1, len(named), dtype=torch.bool)
    return channel_weights(whole, named.unsqueeze(0), salience)


@pytest.mark.parametrize("salience", [True, False])
def test_factored_encoding_equals_profile_tokens_beside_each_rows_tokens(network, texts, salience):
    made, batch = network(explicit_salience=salience), texts()
    readers = [AU, GB, NOBODY, HALF, AU, [0.25, 0.25, 0.25, 0.25], GB]
    text_of = [0, 0, 0, 1, 2, 3, 4]
    with torch.no_grad():
        encoding, _, _ = answers(made, batch, readers, text_of)
        expected = naive_state(made, batch, readers, text_of)
    names = ("task", "explicit", "latent", "clusters_explicit", "clusters_latent", "state")
    for name, value in zip(names, expected, strict=True):
        torch.testing.assert_close(getattr(encoding, name), value, rtol=1e-4, atol=1e-5, msg=name)


def test_five_readers_of_a_text_cost_its_tokens_once(network, texts):
    made, batch = network(), texts(2)
    seen = []
    made.space.task.register_forward_hook(lambda module, args, out: seen.append(tuple(args[0].shape)))
    answers(made, batch, [AU, GB, HALF, NOBODY, AU, GB], [0, 0, 0, 0, 1, 1])
    assert seen == [(2, batch.tokens.size(1), 32), (4, 4, 32)]  # two texts, four different readers


# -- what must not matter --------------------------------------------------------------------------


@torch.no_grad()
def test_padding_content_and_width_change_nothing(network, texts):
    made = network()
    for other in (texts(filler=1e6), texts(filler=-3.0, width=20)):
        for one, two in zip(_flat(made, texts()), _flat(made, other), strict=True):
            torch.testing.assert_close(one, two, rtol=1e-5, atol=1e-6)


def _flat(made, batch):
    encoding, identity, logits = answers(made, batch, [AU, GB, NOBODY, HALF, AU])
    return (*encoding[:7], *encoding.routing, *identity, logits)


@torch.no_grad()
def test_the_rest_of_the_batch_changes_nothing(network, texts):
    made, batch = network(), texts()
    readers = [AU, GB, NOBODY, HALF, AU]
    whole = answers(made, batch, readers)[2]
    for row in range(5):
        alone = TextBatch(*(part[row : row + 1] for part in batch))
        torch.testing.assert_close(answers(made, alone, readers[row : row + 1])[2][0], whole[row], rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_evaluation_draws_no_random_numbers(network, texts):
    made, batch = network(), texts()
    before = torch.random.get_rng_state()
    one, two = (answers(made, batch, [AU] * 5)[2] for _ in range(2))
    assert torch.equal(one, two)
    assert torch.equal(torch.random.get_rng_state(), before)
    made.train()
    assert not torch.equal(answers(made, batch, [AU] * 5)[2], answers(made, batch, [AU] * 5)[2])


@torch.no_grad()
def test_a_row_of_padding_alone_stays_finite(network, texts):
    batch = texts()
    batch.mask[1] = False
    for readers in ([NOBODY] * 5, [AU] * 5):
        for value in _values(answers(network(), batch, readers)):
            assert torch.isfinite(value).all()


def _values(found):
    encoding, identity, logits = found
    return (*encoding[:7], *encoding.routing, *identity, logits)


# -- readers ---------------------------------------------------------------------------------------


@torch.no_grad()
def test_readers_matter_and_blends_lie_between(network, texts):
    made, batch = network(), texts(1)
    logits = answers(made, batch, [AU, GB, NOBODY, HALF, AU], [0] * 5)[2]
    assert torch.equal(logits[0], logits[4])
    assert len({tuple(row) for row in logits[:4].round(decimals=5).tolist()}) == 4
    tokens, present = made.profile(torch.tensor([AU, GB, HALF, NOBODY]))
    torch.testing.assert_close(tokens[2], (tokens[0] + tokens[1]) / 2)
    assert present.tolist() == [[True] * 4] * 3 + [[False] * 4]
    assert (tokens[3] == 0).all()


@torch.no_grad()
def test_a_model_without_readers_reads_everybody_alike(network, texts):
    made, batch = network(sizes={"n_readers": 0}), texts(3)
    rows = reading(batch, torch.zeros(4, 0), torch.tensor([0, 1, 2, 0]))
    state = made.encode(rows, 0.2).state
    assert torch.equal(state[0], state[3])
    assert torch.isfinite(state).all()
    expected = answers(network(sizes={"n_readers": 2}), batch, [[0.0, 0]] * 3)[0]
    assert state.shape[1:] == expected.state.shape[1:]


# -- switches --------------------------------------------------------------------------------------


@torch.no_grad()
@pytest.mark.parametrize(("kept", "lost"), [("explicit", "latent"), ("latent", "explicit")])
def test_one_channel_alone_stands_in_both_places(network, texts, kept, lost):
    made, batch = network(channels=kept), texts()
    encoding, _, _ = answers(made, batch, [AU] * 5)
    assert torch.equal(encoding.explicit, encoding.latent)
    assert torch.equal(encoding.clusters_explicit, encoding.clusters_latent)
    both = answers(network(), batch, [AU] * 5)[0]
    torch.testing.assert_close(getattr(encoding, kept), getattr(both, kept))
    for parameter in getattr(made.space, lost).parameters():
        parameter.mul_(3)
    assert torch.equal(answers(made, batch, [AU] * 5)[0].state, encoding.state)


@torch.no_grad()
def test_without_cross_attention_another_state_comes_out(network, texts):
    batch = texts()
    one, two = (answers(network(cross_attention=on), batch, [AU] * 5)[0] for on in (True, False))
    torch.testing.assert_close(one.clusters_latent, two.clusters_latent)
    assert not torch.allclose(one.aligned, two.aligned)


@torch.no_grad()
@pytest.mark.parametrize("fusion", [True, False])
def test_the_answer_is_the_probes_and_what_identity_task_and_sentence_view_add(network, texts, fusion):
    made, batch = network(fusion=fusion), texts()
    encoding, identity, logits = answers(made, batch, [AU] * 5)
    views = [made.pooled_scale(identity.pooled + identity.delta), encoding.task, made.sentence_scale(batch.sentence)]
    if not fusion:  # nothing is added to the backbone's state, and the identity goes to the head instead
        assert (identity.delta == 0).all()
        assert torch.equal(made.condition(batch.tokens, identity), batch.tokens)
        views.insert(1, encoding.state)
    frozen = torch.cat([made.pooled_scale(identity.pooled), made.sentence_scale(batch.sentence)], -1)
    probed = made.probe(frozen, torch.tensor([AU] * 5))
    assert probed.abs().min() > 0
    torch.testing.assert_close(logits, probed + F.linear(torch.cat(views, -1), made.head.weight, made.head.bias))


@torch.no_grad()
def test_without_a_probe_the_head_answers_alone(network, texts):
    made, batch = network(probe=False), texts()
    encoding, identity, logits = answers(made, batch, [AU] * 5)
    views = [made.pooled_scale(identity.pooled + identity.delta), encoding.task, made.sentence_scale(batch.sentence)]
    torch.testing.assert_close(logits, F.linear(torch.cat(views, -1), made.head.weight, made.head.bias))


# -- gradients -------------------------------------------------------------------------------------


@pytest.mark.parametrize("changes", [{}, {"fusion": False}, {"cross_attention": False}])
def test_every_parameter_gets_a_gradient(network, texts, changes):
    made = network(**changes).train()
    count = 64
    batch = texts(count)
    prompts = build_self_prompts(("AU", "GB", "SG", "US"), ("a", "b", "c", "d"), ("x", "y", "z"), ("p", "q", "r", "s"))
    encoded = EncodedPrompts(prompts, texts(len(prompts.texts), seed=3))
    index = torch.arange(count)
    readers = F.one_hot(index % 5, 5)[:, :4].float()
    rows = reading(batch, readers, index)
    encoding = made.encode(rows, 1.0)
    answer = reflect(made, rows, encoding, prompts, StatesOf(made, encoded, 1.0), rounds=1)
    target = F.one_hot(index % 3, 3).float()
    moved = answer.rounds[-1]
    second = reflection_loss(moved.second, target, index % 2 == 0, encoding.state, moved.moved, torch.ones(count))
    window = torch.stack(made.window(encoding.explicit, encoding.latent))
    loss = -(target * answer.draft.log_softmax(-1)).sum() + second + window[..., 0].sum()
    (loss + decoupling_loss(encoding.task, encoding.explicit, encoding.latent)).backward()
    unused = {"fusion.": "fusion" in changes, "pool.query": "cross_attention" in changes,
              "pool.norm_latent": "cross_attention" in changes}  # fmt: skip
    for name, parameter in made.named_parameters():
        if not any(off and name.startswith(prefix) for prefix, off in unused.items()):
            assert parameter.grad is not None, name
            assert parameter.grad.abs().max() > 0, name
            assert torch.isfinite(parameter.grad).all(), name


def test_pooling_is_the_mean_over_real_tokens(network, texts):
    batch = texts(filler=9.0)
    expected = torch.stack([tokens[mask].mean(0) for tokens, mask in zip(batch.tokens, batch.mask, strict=True)])
    torch.testing.assert_close(network().pool_texts(batch), expected)
    torch.testing.assert_close(weighted_mean(batch.tokens, batch.mask), expected)
