"""Chat with a local model: greedy is `generate`, a draw is the request's own, and its shares are the model's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from calm_lm.errors import CalmError
from calm_lm.lm.chat import ChatRequest, Message, user
from calm_lm.lm.local_chat import LocalChat, _nucleus, _uniform
from calm_lm.lm.tokens import apply_chat

TEMPLATE = (
    "{% for m in messages %}<s>{{ m['role'] }}: {{ m['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}<s>{% endif %}"
)


@pytest.fixture
def templated(tiny):
    """A tiny model whose tokenizer, shared by all tests, has a chat template for one test."""
    lm = tiny("llama")

    def use(template: str = TEMPLATE) -> LocalChat:
        lm.tokenizer.chat_template = template
        return LocalChat(lm)

    yield use
    lm.tokenizer.chat_template = None


def sampled(texts, **options):
    return [ChatRequest(user(text), **{"max_tokens": 8, "temperature": 1.0, **options}) for text in texts]


def texts_of(replies):
    return [reply.text for reply in replies]


@pytest.mark.parametrize("kind", ["llama", "qwen3", "gpt2"])
@pytest.mark.parametrize("batch_tokens", [1, 4096])
def test_temperature_zero_is_generate(tiny, texts, kind, batch_tokens):
    lm = tiny(kind)
    replies = LocalChat(lm, batch_tokens=batch_tokens).chat(sampled(texts, temperature=0, seed=5, top_p=0.1))
    assert texts_of(replies) == lm.generate(texts, max_new_tokens=8)


def test_a_template_is_used_as_generate_uses_it(templated, texts):
    chat = templated()
    assert texts_of(chat.chat(sampled(texts, temperature=0))) == chat.lm.generate(texts, max_new_tokens=8, chat=True)
    for text in texts:
        assert chat._read(ChatRequest(user(text)), 0) == apply_chat(chat.lm.tokenizer, [text])[0]


def test_system_and_earlier_turns_go_through_the_template(templated):
    chat = templated()
    turns = (Message("system", "Be brief."), Message("user", "Tea?"), Message("assistant", "Yes"), Message("user", "A"))
    ids = chat._read(ChatRequest(turns), 0)
    assert chat.lm.tokenizer.decode(ids) == "<s>system: Be brief.<s>user: Tea?<s>assistant: Yes<s>user: A<s>"


@pytest.mark.parametrize(
    "template",
    [
        "{% for m in messages if m['role'] == 'system' %}{{ raise_exception('no system') }}{% endfor %}",
        "{% for m in messages if m['role'] == 'user' %}<s>{{ m['content'] }}{% endfor %}",
    ],
)
def test_a_template_without_system_turns_is_refused_not_ignored(templated, template):
    chat = templated(template)
    with pytest.raises(CalmError, match="L58"):
        chat.chat([ChatRequest(user("Tea?", system="Be brief."))])


def test_without_a_template_the_contents_are_continued(tiny):
    lm = tiny("llama")
    [reply] = LocalChat(lm).chat([ChatRequest(user("Tea?", system="Be brief."), max_tokens=6)])
    assert reply.text == lm.generate(["Be brief.\n\nTea?"], max_new_tokens=6)[0]


@pytest.mark.parametrize("kind", ["llama", "qwen3", "gpt2"])
def test_a_reply_depends_on_its_own_request_only(tiny, texts, kind):
    lm = tiny(kind)
    requests = [
        request
        for seed in range(2)
        for request in sampled(texts, seed=seed, temperature=0.5 + seed, top_p=1 - seed / 5, max_tokens=3 + seed)
    ]
    together = texts_of(LocalChat(lm, batch_tokens=4096).chat(requests))
    order = np.random.default_rng(0).permutation(len(requests))
    shuffled = texts_of(LocalChat(lm, batch_tokens=100).chat([requests[i] for i in order]))
    with torch.random.fork_rng([]):
        torch.manual_seed(99)
        alone = [LocalChat(lm).chat([request])[0].text for request in requests]
    assert together == alone == [shuffled[list(order).index(i)] for i in range(len(requests))]
    assert len(set(together)) > len(requests) * 0.6


def test_no_global_randomness_is_used_or_moved(tiny, texts):
    before = torch.random.get_rng_state()
    LocalChat(tiny("llama")).chat(sampled(texts))
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_longer_bound_continues_the_same_answer(tiny):
    lm = tiny("llama")
    short, long = (LocalChat(lm).chat(sampled(["Yes"], max_tokens=n))[0].text for n in (4, 12))
    assert long.startswith(short)
    assert len(long) > len(short)


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (0.6, 1.0), (1.0, 0.5), (2.0, 0.8)])
def test_shares_of_the_first_token_are_the_models(tiny, temperature, top_p):
    """Over seeds, against probabilities computed plainly: sorted, cut where `top_p` is reached, made to sum to one."""
    lm, text, n = tiny("llama"), "Guests take off", 2000
    with torch.no_grad():
        logits = lm.model(input_ids=torch.tensor([lm.tokenizer(text)["input_ids"]])).logits[0, -1].double().numpy()
    p = np.exp(logits / temperature - (logits / temperature).max())
    p /= p.sum()
    order = np.argsort(-p)
    kept = order[: np.searchsorted(np.cumsum(p[order]), top_p) + 1]
    expected = np.zeros_like(p)
    expected[kept] = p[kept] / p[kept].sum()
    requests = [
        r for seed in range(n) for r in sampled([text], seed=seed, temperature=temperature, top_p=top_p, max_tokens=1)
    ]
    texts = texts_of(LocalChat(lm, batch_tokens=10**5).chat(requests))
    for token in order[:6]:
        if sum(lm.tokenizer.decode([other]) == lm.tokenizer.decode([token]) for other in kept) <= 1:
            found = np.mean([text == lm.tokenizer.decode([token]) for text in texts])
            assert abs(found - expected[token]) < 4 * np.sqrt(expected[token] * (1 - expected[token]) / n) + 1e-9
    assert set(texts) <= {lm.tokenizer.decode([token], skip_special_tokens=True) for token in kept}


def test_two_questions_of_one_seed_have_draws_of_their_own():
    """With common draws, the answers to like questions would rise and fall together."""
    one, other = ([_uniform(sampled([text], seed=s)[0], 1)[0] for s in range(400)] for text in "AB")
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.2
    assert np.mean(one) == pytest.approx(0.5, abs=0.06)


def test_a_nucleus_by_hand():
    p = torch.tensor([[0.1, 0.5, 0.15, 0.25]] * 5, dtype=torch.float64)
    top_p = torch.tensor([[0.01], [0.5], [0.6], [0.76], [1.0]], dtype=torch.float64)
    assert _nucleus(p, top_p).int().tolist() == [[0, 1, 0, 0], [0, 1, 0, 0], [0, 1, 0, 1], [0, 1, 1, 1], [1, 1, 1, 1]]


def test_extreme_temperatures_and_shares(tiny, texts):
    chat = LocalChat(tiny("llama"))
    greedy = texts_of(chat.chat(sampled(texts, temperature=0)))
    assert texts_of(chat.chat(sampled(texts, temperature=1e-300))) == greedy
    assert texts_of(chat.chat(sampled(texts, top_p=1e-9))) == greedy
    assert len(set(texts_of(chat.chat(sampled(texts, temperature=1e30))))) == len(texts)


def test_what_a_reply_tells(tiny, texts):
    chat, told = LocalChat(tiny("llama"), batch_tokens=60), {}
    requests = sampled(texts, max_tokens=40, temperature=1.5)
    replies = chat.chat(requests, on_reply=told.__setitem__)
    assert [told[i] for i in range(len(texts))] == replies
    for text, reply in zip(texts, replies, strict=True):
        ended = reply.completion_tokens < 40 or reply.finish == "stop"
        assert reply.finish == ("stop" if ended else "length")
        assert reply.prompt_tokens == len(chat.lm.tokenizer(text)["input_ids"])
        assert (reply.attempts, reply.error) == (1, None)
        assert reply.seconds > 0
    assert chat.chat([]) == []


def test_an_end_token_ends_the_answer(tiny):
    """At such a temperature every token is about as likely, the end token too: once in 400."""
    lm = tiny("llama")
    requests = [r for seed in range(150) for r in sampled(["Yes"], seed=seed, temperature=100, max_tokens=12)]
    replies = LocalChat(lm, batch_tokens=10**5).chat(requests)
    stopped = [reply for reply in replies if reply.finish == "stop"]
    assert 0 < len(stopped) < 3 * 150 * 12 / 400
    assert min(reply.completion_tokens for reply in stopped) < 12
    assert all(reply.completion_tokens == 12 for reply in replies if reply.finish == "length")


@pytest.mark.parametrize(
    "request_", [ChatRequest(user("")), ChatRequest(user("x " * 200)), ChatRequest(user("x"), 128)]
)
def test_what_does_not_fit(tiny, request_):
    told = []
    with pytest.raises(CalmError, match="L59"):
        LocalChat(tiny("llama")).chat([ChatRequest(user("fine")), request_], on_reply=lambda *reply: told.append(reply))
    assert told == []


def test_an_encoder_cannot_chat(tiny):
    with pytest.raises(CalmError, match="L57"):
        LocalChat(tiny("bert"))


def test_adapted_weights_are_another_model(tiny):
    lm = tiny("llama")
    chat, plain = LocalChat(lm), lm.identity
    assert chat.identity == plain
    parameters = lm.add_lora(range(2))
    fresh = chat.identity
    with torch.no_grad():
        parameters[0].add_(1.0)
    assert len({plain.fingerprint, fresh.fingerprint, chat.identity.fingerprint}) == 3
    lm.remove_lora()
    assert chat.identity == plain


@pytest.mark.lm
def test_the_embedded_model(embedded_lm):
    chat = LocalChat(embedded_lm)
    questions = ["What is the capital of France?", "Say hello."]
    greedy = chat.chat([ChatRequest(user(question), max_tokens=8) for question in questions])
    assert texts_of(greedy) == embedded_lm.generate(questions, max_new_tokens=8, chat=True)
    assert "Paris" in greedy[0].text
    french = chat.chat([ChatRequest(user(questions[1], system="Answer in French."), max_tokens=8)])
    assert french[0].text != greedy[1].text
    requests = sampled(questions, top_p=0.9)
    together = texts_of(chat.chat(requests))
    assert together == [chat.chat([request])[0].text for request in requests]
    assert together != texts_of(greedy)
