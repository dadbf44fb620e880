"""Puts questions to a model, in pieces that are kept as they are answered: a run that was killed asks none twice.

A question in a language that is routed goes to the model named for it, and is kept as that model's answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from calm_lm.errors import UnavailableError
from calm_lm.evaluation.asking.classifier import Classifier, Reading, ReadingAnswer
from calm_lm.evaluation.asking.cost import Cost, Speaker, Spent
from calm_lm.evaluation.asking.embedder import Embedder, Embedding
from calm_lm.evaluation.asking.question import Choice, ChoiceAnswer, Likelihood, Open, OpenAnswer
from calm_lm.evaluation.asking.speakers import Speakers
from calm_lm.lm.answer_cache import AnswerCache, make_key
from calm_lm.stats.arrays import Floats

if TYPE_CHECKING:  # it loads torch, which asking itself does not need
    from calm_lm.evaluation.asking.subject import Subject

Progress = Callable[[str, int, int], None]
FORM = 1  # of what is stored; another number leaves older answers alone
AT_ONCE = 96  # questions between two writes to the cache: about half a minute of the embedded model

Q = TypeVar("Q", Choice, Open, str, Reading)
A = TypeVar("A", ChoiceAnswer, OpenAnswer, Likelihood, ReadingAnswer, Embedding)


class Asker:
    """A subject with its cache, its progress and its bill.

    Args:
        subject: the model under test.
        cache: where answers are kept; None keeps none.
        progress: told what is asked, how many are done and of how many.
        routed: models that answer instead, by primary language subtag.

    Attributes:
        speakers: who is asked in which language.
        cost: what asking has come to.
    """

    def __init__(
        self,
        subject: Subject,
        cache: AnswerCache | None,
        progress: Progress,
        routed: Mapping[str, Subject] | None = None,
    ) -> None:
        self.subject, self._cache, self._progress = subject, cache, progress
        self.speakers = Speakers(subject, routed or {})
        self.cost = Cost()

    def choose(self, questions: Sequence[Choice], title: str) -> list[ChoiceAnswer]:
        """Answers in the order of the questions."""

        def ask(speaker: Subject, part: Sequence[Choice], told: str) -> list[ChoiceAnswer]:
            return self._ask(speaker, "choose", part, Choice.parts, speaker.choose, ChoiceAnswer.of, told, _by_setting)

        return self._each(questions, lambda question: question.asked_in, ask, title)

    def write(self, questions: Sequence[Open], title: str) -> list[OpenAnswer]:
        """Texts in the order of the questions."""

        def ask(speaker: Subject, part: Sequence[Open], told: str) -> list[OpenAnswer]:
            return self._ask(speaker, "write", part, Open.parts, speaker.write, OpenAnswer.of, told, _by_setting)

        return self._each(questions, lambda question: question.asked_in, ask, title)

    def likelihood(self, texts: Sequence[str], title: str) -> list[Likelihood]:
        """Log-probabilities in the order of the texts, which are English."""
        speaker = self.speakers.of("en")
        return self._ask(speaker, "likelihood", texts, _text_parts, speaker.likelihood, Likelihood.of, title, str)

    def classify(self, texts: Sequence[str], readers: Sequence[str | None], title: str) -> Floats:
        """Shares of the labels [N, L] that a trained run (a `Classifier`) gives each text, read as `readers[i]`."""
        model = self.subject
        assert isinstance(model, Classifier)

        def answer(asked: Sequence[Reading]) -> list[ReadingAnswer]:
            found = model.classify([each.text for each in asked], [each.reader for each in asked])
            return [ReadingAnswer(tuple(row)) for row in found.tolist()]

        readings = [Reading(text, reader, model.labels) for text, reader in zip(texts, readers, strict=True)]
        parts, restore = Reading.parts, ReadingAnswer.of
        found = self._ask(self.subject, "classify", readings, parts, answer, restore, title, _by_text)
        return np.asarray([each.shares for each in found], dtype=np.float64)

    def embed(self, texts: Sequence[str], title: str) -> Floats:
        """Vectors of the texts [N, d], which are English, in single precision whether they were kept or not.

        Raises:
            UnavailableError: E96 for a model that gives none.
        """
        model = self.speakers.of("en")
        if not isinstance(model, Embedder):
            raise UnavailableError(
                "E96", "this model gives no vectors of texts.", field="MODEL", value=model.title,
                fix="leave this task out, or give a local model, such as the backbone of a run.",
            )  # fmt: skip

        def answer(asked: Sequence[str]) -> list[Embedding]:
            return [Embedding(row.astype(np.float32).astype(np.float64)) for row in model.embed(asked)]

        def parts(text: str) -> dict[str, Any]:
            return {"text": text, "embedding": model.embedding}

        found = self._ask(model, "embed", texts, parts, answer, Embedding.of, title, len)
        return np.stack([each.vector for each in found])

    def _each(
        self,
        questions: Sequence[Q],
        language: Callable[[Q], str],
        ask: Callable[[Subject, Sequence[Q], str], list[A]],
        title: str,
    ) -> list[A]:
        """Every question answered by who speaks its language, one model after the other."""
        speakers = [self.speakers.of(language(question)) for question in questions]
        found: dict[int, A] = {}
        for speaker in {id(each): each for each in speakers}.values():
            part = [place for place, each in enumerate(speakers) if each is speaker]
            told = title if speaker is self.subject else f"{title}, {speaker.title}"
            found |= zip(part, ask(speaker, [questions[place] for place in part], told), strict=True)
        return [found[place] for place in range(len(questions))]

    def _ask(
        self,
        speaker: Subject,
        kind: str,
        questions: Sequence[Q],
        parts: Callable[[Q], dict[str, Any]],
        answer: Callable[[Sequence[Q]], list[A]],
        restore: Callable[[Any], A],
        title: str,
        order: Callable[[Q], Any],
    ) -> list[A]:
        keys = [_key(speaker, kind, parts(question)) for question in questions]
        known: dict[str, A] = {}
        for key in dict.fromkeys(keys):
            stored = None if self._cache is None else self._cache.get(key)
            if self._cache is not None and stored is not None:
                try:
                    known[key] = restore(stored)
                except (KeyError, TypeError, ValueError, AttributeError):  # not what such an answer is kept as
                    self._cache.drop(key)
        left = {key: question for key, question in zip(keys, questions, strict=True) if key not in known}
        waiting = sorted(left, key=lambda key: order(left[key]))  # those that share a beginning come together
        total, done = len(set(keys)), len(known)
        bill = _Bill(self.cost, self._cache, speaker, title, done)
        self.cost.questions += total
        self.cost.from_cache += done
        self._progress(title, done, total)
        for start in range(0, len(waiting), AT_ONCE):
            chunk = waiting[start : start + AT_ONCE]
            with bill.answering():
                answers = answer([left[key] for key in chunk])
            for key, found in zip(chunk, answers, strict=True):
                known[key] = found
                self.cost.undelivered += _nothing_came(found)
                if self._cache is not None and not _failed(found):
                    self._cache.put(key, found.value())
            done += len(chunk)
            self._progress(title, done, total)
        return [known[key] for key in keys]


class _Bill:
    """What one list of questions takes; kept, so that the bill of a run that goes on holds what came before.

    A piece that ends in an error or an interrupt is billed too; of one that was killed nothing is known.
    """

    def __init__(self, cost: Cost, cache: AnswerCache | None, speaker: Subject, title: str, known: int) -> None:
        self._cost, self._cache, self._speaker = cost, cache, speaker
        self._place = _key(speaker, "spent", {"on": title})
        self._who = Speaker(speaker.title, speaker.identity.fingerprint)
        self._spent = Spent() if cache is None or not known else Spent.of(cache.get(self._place), known)
        cost.add(self._who, self._spent)

    @contextmanager
    def answering(self) -> Iterator[None]:
        """A block in which the speaker answers."""
        began, before = time.monotonic(), self._speaker.usage
        try:
            yield
        finally:
            spent = Spent(time.monotonic() - began, self._speaker.usage - before)
            self._spent += spent
            self._cost.add(self._who, spent)
            if self._cache is not None:
                self._cache.put(self._place, self._spent.value())


def _key(speaker: Subject, kind: str, parts: dict[str, Any]) -> str:
    return make_key(
        {"form": FORM, "kind": kind, "model": speaker.identity.fingerprint, "settings": speaker.settings, **parts}
    )


def _by_setting(question: Choice | Open) -> tuple[str, str]:
    return question.prompt.setting, question.prompt.user


def _by_text(reading: Reading) -> tuple[str, str]:
    """A text that several read is read once where they come together."""
    return reading.text, reading.reader or ""


def _failed(answer: ChoiceAnswer | OpenAnswer | Likelihood | ReadingAnswer | Embedding) -> bool:
    """Whether an endpoint did not deliver all of it: what failed is asked again when the run is resumed."""
    return isinstance(answer, (ChoiceAnswer, OpenAnswer)) and answer.failed > 0


def _nothing_came(answer: ChoiceAnswer | OpenAnswer | Likelihood | ReadingAnswer | Embedding) -> bool:
    """Whether an endpoint delivered none of it."""
    if isinstance(answer, ChoiceAnswer):
        return answer.failed >= 1
    return isinstance(answer, OpenAnswer) and answer.failed > 0 and not answer.texts and not answer.refused


def _text_parts(text: str) -> dict[str, Any]:
    return {"text": text}
