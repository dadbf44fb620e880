"""Puts questions to a model, in pieces that are kept as they are answered: a run that was killed asks none twice."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from calm_lm.evaluation.asking.question import Choice, ChoiceAnswer, Cost, Likelihood, Open, OpenAnswer
from calm_lm.lm.answer_cache import AnswerCache, make_key

if TYPE_CHECKING:  # it loads torch, which asking itself does not need
    from calm_lm.evaluation.asking.subject import Subject

Progress = Callable[[str, int, int], None]
FORM = 1  # of what is stored; another number leaves older answers alone
AT_ONCE = 96  # questions between two writes to the cache: about half a minute of the embedded model

Q = TypeVar("Q", Choice, Open, str)
A = TypeVar("A", ChoiceAnswer, OpenAnswer, Likelihood)


class Asker:
    """A subject with its cache, its progress and its bill.

    Args:
        subject: the model under test.
        cache: where answers are kept; None keeps none.
        progress: told what is asked, how many are done and of how many.

    Attributes:
        cost: what asking has come to.
    """

    def __init__(self, subject: Subject, cache: AnswerCache | None, progress: Progress) -> None:
        self.subject, self._cache, self._progress = subject, cache, progress
        self.cost = Cost()

    def choose(self, questions: Sequence[Choice], title: str) -> list[ChoiceAnswer]:
        """Answers in the order of the questions."""
        return self._ask("choose", questions, Choice.parts, self.subject.choose, ChoiceAnswer.of, title, _by_setting)

    def write(self, questions: Sequence[Open], title: str) -> list[OpenAnswer]:
        """Texts in the order of the questions."""
        return self._ask("write", questions, Open.parts, self.subject.write, OpenAnswer.of, title, _by_setting)

    def likelihood(self, texts: Sequence[str], title: str) -> list[Likelihood]:
        """Log-probabilities in the order of the texts."""
        return self._ask("likelihood", texts, _text_parts, self.subject.likelihood, Likelihood.of, title, str)

    def _ask(
        self,
        kind: str,
        questions: Sequence[Q],
        parts: Callable[[Q], dict[str, Any]],
        answer: Callable[[Sequence[Q]], list[A]],
        restore: Callable[[Any], A],
        title: str,
        order: Callable[[Q], Any],
    ) -> list[A]:
        keys = [self._key(kind, parts(question)) for question in questions]
        known: dict[str, A] = {}
        for key in dict.fromkeys(keys):
            stored = None if self._cache is None else self._cache.get(key)
            if stored is not None:
                known[key] = restore(stored)
        left = {key: question for key, question in zip(keys, questions, strict=True) if key not in known}
        waiting = sorted(left, key=lambda key: order(left[key]))  # those that share a beginning come together
        total, done = len(set(keys)), len(known)
        spent_at = self._key("spent", {"on": title})  # so that the bill of a run that goes on holds what came before
        earlier = None if self._cache is None or not done else self._cache.get(spent_at)
        spent = float(earlier["seconds"]) if isinstance(earlier, dict) else 0.0
        self.cost.questions += total
        self.cost.from_cache += done
        self.cost.seconds += spent
        self._progress(title, done, total)
        for start in range(0, len(waiting), AT_ONCE):
            chunk = waiting[start : start + AT_ONCE]
            began = time.monotonic()
            answers = answer([left[key] for key in chunk])
            seconds = time.monotonic() - began
            self.cost.seconds += seconds
            spent += seconds
            for key, found in zip(chunk, answers, strict=True):
                known[key] = found
                if self._cache is not None and not _failed(found):
                    self._cache.put(key, found.value())
            if self._cache is not None:
                self._cache.put(spent_at, {"seconds": spent})
            done += len(chunk)
            self._progress(title, done, total)
        return [known[key] for key in keys]

    def _key(self, kind: str, parts: dict[str, Any]) -> str:
        identity = self.subject.identity
        return make_key(
            {"form": FORM, "kind": kind, "model": identity.fingerprint, "settings": self.subject.settings, **parts}
        )


def _by_setting(question: Choice | Open) -> tuple[str, str]:
    return question.prompt.setting, question.prompt.user


def _failed(answer: ChoiceAnswer | OpenAnswer | Likelihood) -> bool:
    """Whether an endpoint did not deliver all of it: what failed is asked again when the run is resumed."""
    return not isinstance(answer, Likelihood) and answer.failed > 0


def _text_parts(text: str) -> dict[str, Any]:
    return {"text": text}
