"""Models under test: exact shares of a local one, counted samples of an endpoint, on real weights and real sockets."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from chat_server import ChatServer

from calm_lm.errors import CalmError
from calm_lm.evaluation.asking.conditions import NEUTRAL, parse_condition
from calm_lm.evaluation.asking.open_subject import OpenOptions, open_subject
from calm_lm.evaluation.asking.question import Choice, Open, Prompt
from calm_lm.evaluation.asking.subject import LocalSubject, SampledSubject
from calm_lm.evaluation.asking.wording import Presentation, choice
from calm_lm.lm.answer_cache import AnswerCache
from calm_lm.lm.endpoint import Endpoint
from calm_lm.lm.protocol import OptionScores
from calm_lm.lm.render import render_turn

OPTIONS = ("Very important", "Rather important", "Not important")


def asked(text: str = "How important is tea?", order=(0, 1, 2), style="letters") -> Choice:
    return choice("q", text, OPTIONS, NEUTRAL, None, Presentation(style, order))


def endpoint(server: ChatServer, samples: int = 4) -> SampledSubject:
    url = server.name.partition("@")[2]
    return SampledSubject(Endpoint("planted", url, base_delay=0.01, retries=1), "planted", samples=samples)


# -- endpoints -------------------------------------------------------------------------------------------


def test_samples_become_shares_in_the_questions_own_order():
    with ChatServer(lambda prompt, seed: "A" if seed < 3 else "The answer is C.") as server:
        plain, turned = endpoint(server).choose([asked(), asked(order=(2, 1, 0))])
    assert plain.shares == (0.75, 0.0, 0.25)
    assert turned.shares == (0.25, 0.0, 0.75)  # there, A is the last option
    assert (plain.samples, plain.mass, plain.no_answer) == (4, None, 0.0)


def test_what_is_no_answer_is_counted_by_kind():
    replies = ["B", "I'm sorry, I cannot answer that.", "Well, it depends.", 500]
    with ChatServer(lambda prompt, seed: replies[seed]) as server:
        [answer] = endpoint(server).choose([asked()])
    assert answer.shares == (0.0, 1.0, 0.0)
    assert (answer.refused, answer.unparsed, answer.failed) == (0.25, 0.25, 0.25)
    assert answer.no_answer == 0.75


def test_nothing_valid_gives_no_shares():
    with ChatServer(lambda prompt, seed: "no idea") as server:
        [answer] = endpoint(server).choose([asked()])
    assert answer.shares == ()
    assert answer.no_answer == 1.0


def test_reasons_are_written_first_and_then_stand_before_the_rule_how_to_answer():
    seen: list[str] = []

    def reply(prompt: str, seed: int) -> str:
        seen.append(prompt)
        return "Tea is everywhere." if "Do not give the answer yet" in prompt else "A"

    with ChatServer(reply) as server:
        [answer] = endpoint(server, samples=1).choose([replace(asked(), reasoning=True)])
    assert answer.shares == (1.0, 0.0, 0.0)
    assert seen[1].endswith("\n\nThoughts: Tea is everywhere.\n\nAnswer with the letter only.")


def test_an_endpoint_writes_texts_and_tells_no_probabilities():
    with ChatServer(lambda prompt, seed: f"text {seed}") as server:
        subject = endpoint(server)
        [answer] = subject.write([Open("o", Prompt("Write."), samples=3, temperature=0.9)])
        with pytest.raises(CalmError, match="E37"):
            subject.likelihood(["a text"])
    assert answer.texts == ("text 0", "text 1", "text 2")


def test_the_setting_stands_in_the_users_turn():
    condition = parse_condition("persona+country")
    from calm_lm.evaluation.asking.wording import Place

    seen: list[str] = []
    with ChatServer(lambda prompt, seed: seen.append(prompt) or "A") as server:
        shown = Presentation("letters", (0, 1, 2))
        endpoint(server, 1).choose([choice("q", "Tea?", OPTIONS, condition, Place("EG"), shown)])
    assert seen[0].startswith("You are a person from Egypt.")


# -- local models ----------------------------------------------------------------------------------------


@pytest.mark.lm
def test_a_local_model_gives_the_exact_shares_of_the_labels(embedded_lm):
    subject = LocalSubject(embedded_lm)
    questions = [asked(), asked("How important is rain?", order=(2, 1, 0), style="numbers"), asked(style="words")]
    answers = subject.choose(questions)
    for question, answer in zip(questions, answers, strict=True):
        prompt, glue = render_turn(embedded_lm.tokenizer, question.prompt.text)
        [scores] = embedded_lm.score_options([prompt], [[f"{glue}{said}" for said in question.answers]])
        assert answer.shares == pytest.approx(scores.sums.double().softmax(0).tolist(), abs=1e-4)
        assert answer.mass == pytest.approx(float(scores.sums.exp().sum()), abs=1e-4)
        assert 0 <= answer.refused < 1
    assert sum(answers[0].shares) == pytest.approx(1)


@pytest.mark.lm
def test_a_local_model_tells_how_probable_a_text_is(embedded_lm):
    texts = ["Water boils at a lower temperature on a mountain.", "Rain falls."]
    for text, found in zip(texts, LocalSubject(embedded_lm).likelihood(texts), strict=True):
        ids = torch.tensor([embedded_lm.tokenizer(text)["input_ids"]])
        with torch.no_grad():
            loss = float(embedded_lm.model(input_ids=ids, labels=ids).loss)  # mean over all tokens but the first
        assert found.log_prob == pytest.approx(-loss * (ids.shape[1] - 1), rel=1e-4)
        assert (found.tokens, found.bytes) == (ids.shape[1] - 1, len(text))


# -- names -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "no-such-model", "gpt", "/no/such/folder"])
def test_a_name_that_is_no_model_says_what_is(tmp_path, name):
    with AnswerCache(tmp_path / "a.sqlite") as cache, pytest.raises(CalmError) as error:
        open_subject(name, OpenOptions(offline=True), cache, print)
    assert error.value.code == "E46"
    assert "openai:MODEL@URL" in error.value.fix


def test_an_adapter_is_checked_before_its_base_is_loaded(tmp_path):
    with AnswerCache(tmp_path / "a.sqlite") as cache, pytest.raises(CalmError, match="L61"):
        open_subject(f"adapter:{tmp_path}", OpenOptions(offline=True), cache, print)


@pytest.mark.lm
def test_an_adapter_is_merged_and_is_another_model(tmp_path, embedded_lm):
    from peft import LoraConfig, get_peft_model

    from calm_lm.lm.hf import HuggingFaceLM

    base = HuggingFaceLM.load("embedded")
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        adapted = get_peft_model(base.model, LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False))
        adapted.peft_config["default"].base_model_name_or_path = "embedded"
        adapted.save_pretrained(tmp_path / "lora")
    with AnswerCache(tmp_path / "a.sqlite") as cache:
        subject = open_subject(f"adapter:{tmp_path / 'lora'}", OpenOptions(offline=True), cache, print)
    assert subject.identity.fingerprint != embedded_lm.identity.fingerprint
    [before], [after] = (one.choose([asked()]) for one in (LocalSubject(embedded_lm), subject))
    assert before.shares != pytest.approx(after.shares, abs=1e-3)


@pytest.mark.lm
def test_one_is_not_ten(embedded_lm):
    """The embedded tokenizer writes 10 as 1 and 0; a reply of 10 must not count for 1."""
    numbers = tuple(str(number) for number in range(1, 11))
    question = choice("q", "How much?", numbers, NEUTRAL, None, Presentation("words", tuple(range(10))))
    [answer] = LocalSubject(embedded_lm).choose([question])
    prompt, glue = render_turn(embedded_lm.tokenizer, question.prompt.text)
    [scores] = embedded_lm.score_options([prompt], [[f"{glue}{number}" for number in numbers]])
    p = scores.sums.double().exp()
    if int(scores.tokens[9]) > int(scores.tokens[0]):
        p[0] -= p[9]
    assert answer.shares == pytest.approx((p / p.sum()).tolist(), abs=1e-4)
    assert answer.mass == pytest.approx(float(p.sum()), abs=1e-4)


def test_refusals_of_the_questions_language_are_heard_and_taken_off_the_answer_that_begins_them():
    """Planted log-probabilities: a quarter each for No and Sí, of No four fifths go on to "No puedo"."""

    class Planted:
        """The little that a local subject reads of a model when it chooses."""

        title, identity, dtype, tokenizer = "planted", None, torch.float32, None

        def score_options(self, prompts, options):
            found = []
            for listed in options:
                chance = {"No": 0.25, "Sí": 0.25, "No puedo": 0.2, "Lo siento": 0.1, "I cannot": 0.05}
                said = [option.strip() for option in listed]
                sums = torch.tensor([chance.get(each, 1e-12) for each in said]).log()
                found.append(OptionScores(sums, torch.tensor([len(each.split()) for each in said])))
            return found

    subject = LocalSubject.__new__(LocalSubject)
    subject.lm = Planted()
    asked = [Choice("q", Prompt("?"), ("No", "Sí"), ("", ""), (0, 1), language=language) for language in ("es", "en")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("calm_lm.evaluation.asking.subject.render_turn", lambda _, text: (text, " "))
        spanish, english = subject._choose(asked)
    assert spanish.shares == pytest.approx((0.05 / 0.3, 0.25 / 0.3), rel=1e-4)
    assert spanish.refused == pytest.approx(0.35 / 0.65, rel=1e-4)
    assert english.shares == pytest.approx((0.5, 0.5), rel=1e-4)
    assert english.refused == pytest.approx(0.05 / 0.55, rel=1e-4)
