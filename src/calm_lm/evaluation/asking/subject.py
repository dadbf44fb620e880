"""The model under test: local models, whose probabilities are read, and endpoints, which are sampled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

from calm_lm.errors import UnavailableError
from calm_lm.evaluation.asking.embedder import MAX_TOKENS, mean_states
from calm_lm.evaluation.asking.parse import REFUSAL_OPENINGS, read_reply, refusal_openings, reply_words
from calm_lm.evaluation.asking.question import Choice, ChoiceAnswer, Likelihood, Open, OpenAnswer, Prompt
from calm_lm.evaluation.asking.wording import phrases_of
from calm_lm.lm.chat import ChatModel, ChatReply, ChatRequest, Message
from calm_lm.lm.hf import HuggingFaceLM
from calm_lm.lm.likelihood import score_texts
from calm_lm.lm.local_chat import LocalChat
from calm_lm.lm.protocol import ModelIdentity, OptionScores
from calm_lm.lm.render import render_turn
from calm_lm.lm.usage import Usage
from calm_lm.model.config import BackboneConfig
from calm_lm.stats.arrays import Floats

REASON_TOKENS = 80
ANSWER_TOKENS = 24  # a label, or the longest option in words, with a lead
ENOUGH_DECLINED = 0.5  # from this refused share on the leak is read


class Subject(Protocol):
    """A model that can be asked.

    Attributes:
        title: as a table calls it.
        identity: which weights, or which endpoint.
        exact: probabilities are read; otherwise answers are sampled.
        settings: what of the way it is asked enters the cache key.
    """

    title: str
    identity: ModelIdentity
    exact: bool
    settings: dict[str, Any]

    @property
    def usage(self) -> Usage:
        """Tokens that its answers have come to so far."""
        ...

    def choose(self, questions: Sequence[Choice]) -> list[ChoiceAnswer]:
        """Answer each presentation."""
        ...

    def write(self, questions: Sequence[Open]) -> list[OpenAnswer]:
        """Write texts."""
        ...

    def likelihood(self, texts: Sequence[str]) -> list[Likelihood]:
        """Log-probability of whole texts, in nats.

        Raises:
            CalmError: E37 where the model does not tell.
        """
        ...


class LocalSubject:
    """A causal model in this process: the exact probability of every option.

    The prompt goes through the model's chat template where it has one. An option's probability is that of its label
    (or its text, where options have no label); shares are those of the options among themselves.

    Args:
        lm: the model.
        title: as a table calls it.
    """

    exact = True

    def __init__(self, lm: HuggingFaceLM, title: str | None = None) -> None:
        self.lm, self.title, self.identity = lm, title or lm.title, lm.identity
        self.settings: dict[str, Any] = {
            "dtype": str(lm.dtype),
            "refusals": list(REFUSAL_OPENINGS),
            "answers": "alone",
            "reasons": REASON_TOKENS,
        }
        self._layer = BackboneConfig().layer_to_read(lm.n_layers)
        self.embedding = f"mean state of layer {self._layer}, at most {MAX_TOKENS} tokens"
        self._chat = LocalChat(lm)

    @property
    def usage(self) -> Usage:
        """Of the model."""
        return self.lm.usage

    def choose(self, questions: Sequence[Choice]) -> list[ChoiceAnswer]:
        """Shares of the options, and of openings that decline, by log-probability."""
        return _reasoned(self._chat, questions, self._choose)

    def _choose(self, asked: Sequence[Choice]) -> list[ChoiceAnswer]:
        rendered = [render_turn(self.lm.tokenizer, each.prompt.text) for each in asked]
        # A refusal opens like any sentence, so it competes with the label at the same place.
        options = [
            [f"{glue}{said}" for said in (*each.answers, *refusal_openings(each.asked_in))]
            for each, (_, glue) in zip(asked, rendered, strict=True)
        ]
        found = self.lm.score_options([prompt for prompt, _ in rendered], options)
        return [_exact(each, scores) for each, scores in zip(asked, found, strict=True)]

    def write(self, questions: Sequence[Open]) -> list[OpenAnswer]:
        """Seeded samples; the same question always gets the same texts."""
        return _write(self._chat, questions)

    def likelihood(self, texts: Sequence[str]) -> list[Likelihood]:
        """Of each whole text after the model's start token, or after its first token where it has none."""
        scores = score_texts(self.lm, texts)
        return [Likelihood(s.log_prob, s.tokens, len(text.encode())) for s, text in zip(scores, texts, strict=True)]

    def embed(self, texts: Sequence[str]) -> Floats:
        """Mean state of the layer that CALM would read [N, d_model]."""
        return mean_states(self.lm, self._layer, texts)


class SampledSubject:
    """A chat endpoint: n samples of every question, read strictly.

    Args:
        model: the endpoint.
        title: as a table calls it.
        samples: how many answers are drawn to each presentation.
        temperature: of the draws.
    """

    exact = False

    def __init__(self, model: ChatModel, title: str, *, samples: int = 5, temperature: float = 1.0) -> None:
        self.model, self.title, self.identity = model, title, model.identity
        self.samples, self.temperature = samples, temperature
        self.settings: dict[str, Any] = {"samples": samples, "temperature": temperature, "reasons": REASON_TOKENS}

    @property
    def usage(self) -> Usage:
        """What the endpoint states."""
        return self.model.usage

    def choose(self, questions: Sequence[Choice]) -> list[ChoiceAnswer]:
        """Shares of the options among the samples that name one."""
        return _reasoned(self.model, questions, self._choose)

    def _choose(self, asked: Sequence[Choice]) -> list[ChoiceAnswer]:
        requests = [
            _request(each.prompt, ANSWER_TOKENS, self.temperature, seed)
            for each in asked
            for seed in range(self.samples)
        ]
        replies = self.model.chat(requests)
        rows = [replies[start : start + self.samples] for start in range(0, len(replies), self.samples)]
        return [_sampled(each, row) for each, row in zip(asked, rows, strict=True)]

    def write(self, questions: Sequence[Open]) -> list[OpenAnswer]:
        """Samples, each with its own seed."""
        return _write(self.model, questions)

    def likelihood(self, texts: Sequence[str]) -> list[Likelihood]:
        """An endpoint does not tell."""
        raise UnavailableError(
            "E37", "an endpoint does not tell how probable a text is.", field="MODEL", value=self.title,
            fix="leave this task out, or give a local model.",
        )  # fmt: skip


def _exact(question: Choice, scores: OptionScores) -> ChoiceAnswer:
    """Shares of the options among themselves; the openings that decline stand after them.

    Where one answer begins another in tokens ("1" and "10"), the longer one's probability is taken off the shorter
    one's: what is meant is a reply that begins with 1 and does not go on to 10. So it is with an answer that begins a
    refusal of the question's language ("No" and "No puedo").
    """
    answers = question.answers
    sums, n = scores.sums.double(), len(answers)
    scaled = (sums - sums[:n].max()).exp()
    alone = scaled[:n].clone()
    for i in sorted(range(n), key=lambda i: -len(answers[i])):
        for j in range(n):
            if answers[j] != answers[i] and answers[j].startswith(answers[i]) and scores.tokens[j] > scores.tokens[i]:
                alone[i] -= alone[j]
    words = reply_words(question.asked_in)
    for place, opening in enumerate(() if words is None else words.openings, start=n + len(REFUSAL_OPENINGS)):
        for i in range(n):
            if opening.startswith(f"{answers[i]} ") and scores.tokens[place] > scores.tokens[i]:
                alone[i] -= scaled[place]
    alone = alone.clamp_min(0)
    shares = tuple((alone / alone.sum()).tolist())
    mass, declined = float(sums[:n].max().exp() * alone.sum()), float(sums[n:].exp().sum())
    refused = declined / (mass + declined) if mass + declined > 0 else 0.0
    top = max(shares) if refused >= ENOUGH_DECLINED else None
    return ChoiceAnswer(shares, refused=refused, mass=mass, top=top)


def _sampled(question: Choice, replies: Sequence[ChatReply]) -> ChoiceAnswer:
    counts = [0] * len(question.texts)
    refused = unparsed = failed = 0
    for reply in replies:
        if reply.finish == "failed":
            failed += 1
        elif reply.finish == "filter":
            refused += 1
        else:
            read = read_reply(reply.text, question.labels, question.texts, question.asked_in)
            if read == "refused":
                refused += 1
            elif read == "unparsed":
                unparsed += 1
            else:
                counts[int(read)] += 1
    n, valid = len(replies), sum(counts)
    shares = tuple(count / valid for count in counts) if valid else ()
    return ChoiceAnswer(shares, refused / n, unparsed / n, failed / n, samples=n)


def _reasoned(
    model: ChatModel, questions: Sequence[Choice], answer: Callable[[Sequence[Choice]], list[ChoiceAnswer]]
) -> list[ChoiceAnswer]:
    """Answers, after the model wrote its reasons where that is asked for; where none came, the question failed."""
    places = [i for i, question in enumerate(questions) if question.reasoning]
    replies = model.chat([_think(questions[i]) for i in places]) if places else []
    asked: list[Choice | None] = list(questions)
    for i, reply in zip(places, replies, strict=True):
        came = reply.finish in ("stop", "length") and reply.text.strip()
        asked[i] = _after_thought(questions[i], reply.text.strip()) if came else None
    answers = iter(answer([each for each in asked if each is not None]))
    return [ChoiceAnswer((), failed=1.0) if each is None else next(answers) for each in asked]


def _think(question: Choice) -> ChatRequest:
    body, _, _ = question.prompt.user.rpartition("\n\n")
    reasons = phrases_of(question.language)["reasons"]
    return _request(replace(question.prompt, user=f"{body}\n\n{reasons}"), REASON_TOKENS, 0.0, 0)


def _after_thought(question: Choice, thought: str) -> Choice:
    """The question with the reasons before the rule how to answer."""
    body, _, rule = question.prompt.user.rpartition("\n\n")
    told = phrases_of(question.language)["thought"].replace("{reasons}", thought)
    return replace(question, prompt=replace(question.prompt, user=f"{body}\n\n{told}\n\n{rule}"))


def _write(model: ChatModel, questions: Sequence[Open]) -> list[OpenAnswer]:
    requests = [
        _request(each.prompt, each.max_tokens, each.temperature, seed)
        for each in questions
        for seed in range(each.samples)
    ]
    replies = iter(model.chat(requests))
    answers = []
    for each in questions:
        mine = [next(replies) for _ in range(each.samples)]
        texts = tuple(reply.text for reply in mine if reply.finish in ("stop", "length"))
        refused = sum(reply.finish == "filter" for reply in mine)
        answers.append(OpenAnswer(texts, refused, sum(reply.finish == "failed" for reply in mine)))
    return answers


def _request(prompt: Prompt, max_tokens: int, temperature: float, seed: int) -> ChatRequest:
    turn = Message("user", prompt.text)
    return ChatRequest((turn,), max_tokens=max_tokens, temperature=temperature, seed=seed)
