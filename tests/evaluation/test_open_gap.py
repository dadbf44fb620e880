"""Survey against behaviour: an encoder whose space is known, and models that do or do not do as they say."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest
from scripted import Scripted, silent

from calm_lm.errors import CalmError
from calm_lm.evaluation.asking.asker import Asker
from calm_lm.evaluation.asking.conditions import parse_conditions
from calm_lm.evaluation.asking.question import Choice, ChoiceAnswer, Open
from calm_lm.evaluation.kinds.gap import Axis, Positions, Topics, agreement, gap_to_others, run
from calm_lm.evaluation.kinds.material import load_material
from calm_lm.evaluation.tasks.plan import Plan
from calm_lm.evaluation.tasks.spec import Wanted, load_task

TOPICS = load_material(load_task("words-and-answers"), Topics).topics
PLACES = ("BR", "EG", "JP")
NAMES = ("Brazil", "Egypt", "Japan")


class Planted:
    """Texts that begin with a number lie there; pole texts lie at 0 and 1."""

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        low = {text for topic in TOPICS for text in (*topic.low, *topic.check_low)}
        high = {text for topic in TOPICS for text in (*topic.high, *topic.check_high)}
        at = [0.0 if text in low else 1.0 if text in high else float(text.split()[0]) for text in texts]
        return np.stack([at, np.ones(len(at))], axis=1)


def place_in(system: str) -> int:
    return next((at for at, name in enumerate(NAMES) if name in system), 0)


def told_by(survey, words, samples: int = 2) -> dict:
    """Survey position and words' position are functions of the place's number."""

    def choose(asked: Choice) -> ChoiceAnswer:
        at = survey(place_in(asked.prompt.setting))
        shares = [0.0] * len(asked.texts)
        shares[0], shares[-1] = 1 - at, at
        return ChoiceAnswer(tuple(shares), mass=1.0)

    def write(asked: Open) -> list[str]:
        return [f"{words(place_in(asked.prompt.setting))} is my advice"] * asked.samples

    task = load_task("words-and-answers").model_copy(update={"cultures": PLACES})
    plan = Plan(Wanted(task, 4, samples=samples), parse_conditions(["neutral", "neutral+country"]), replicates=100)
    told = run(Asker(Scripted(choose, write), None, silent), plan, encoder=Planted()).to_json()
    json.dumps(told, allow_nan=False)
    return told


def test_a_model_that_does_as_it_says_has_no_gap():
    told = told_by(lambda place: 0.2 + 0.3 * place, lambda place: 0.2 + 0.3 * place)["systems"]
    assert told["neutral+country"]["metrics"]["gap"]["mean"] == pytest.approx(0)
    assert told["neutral+country"]["figures"]["agreement"]["value"] == pytest.approx(1)
    # other places' texts are 0.3, 0.6 away from the ends and 0.3 from the middle
    assert told["shuffled-places:neutral+country"]["metrics"]["gap"]["mean"] == pytest.approx((0.45 + 0.3 + 0.45) / 3)


def test_a_model_that_does_the_opposite():
    told = told_by(lambda place: place / 2, lambda place: 1 - place / 2)["systems"]["neutral+country"]
    assert told["figures"]["agreement"]["value"] == pytest.approx(-1)
    assert told["metrics"]["gap"]["by_culture"]["BR"]["value"] == pytest.approx(1)
    assert told["metrics"]["gap"]["by_culture"]["EG"]["value"] == pytest.approx(0)


def test_words_that_are_the_same_everywhere_agree_with_nothing():
    told = told_by(lambda place: place / 2, lambda place: 0.5)["systems"]
    assert told["neutral+country"]["figures"]["agreement"]["value"] is None
    assert told["neutral+country"]["metrics"]["gap"]["mean"] == pytest.approx(
        told["shuffled-places:neutral+country"]["metrics"]["gap"]["mean"]
    )


def test_a_model_that_writes_nothing_has_no_gap_to_show():
    def write(asked: Open) -> list[str]:
        return [" "] * asked.samples

    subject = Scripted(lambda asked: ChoiceAnswer((0.2,) * 5, mass=1.0), write)
    plan = Plan(Wanted(load_task("words-and-answers"), 2, samples=1), parse_conditions(["neutral+country"]))
    told = run(Asker(subject, None, silent), plan, encoder=Planted()).to_json()["systems"]["neutral+country"]
    assert told["metrics"]["gap"]["mean"] is None
    assert told["figures"]["no_answer"]["value"] == 1


def test_positions_are_cut_off_at_the_poles_and_equal_poles_are_refused():
    axis = Axis(TOPICS[0], Planted())
    np.testing.assert_allclose(axis.place(["-3 x", "0.25 x", "7 x"]), [0, 0.25, 1])
    same = TOPICS[0].model_copy(update={"high": TOPICS[0].low})
    with pytest.raises(CalmError, match="E85"):
        Axis(same, Planted())


def test_gap_to_others_by_all_pairs_and_agreement_by_numpy():
    rng = np.random.default_rng(3)
    survey, words = rng.random((2, 4, 3))
    found = Positions(survey.ravel(), words.ravel())
    expected = [
        [np.mean([abs(survey[t, p] - words[t, q]) for q in range(3) if q != p]) for p in range(3)] for t in range(4)
    ]
    np.testing.assert_allclose(gap_to_others(found, 3).reshape(4, 3), expected)
    centred = [(side - side.mean(1, keepdims=True)).ravel() for side in (survey, words)]
    assert agreement(found, 3) == pytest.approx(np.corrcoef(*centred)[0, 1])
    holes = Positions(survey.ravel(), np.where(np.arange(12) % 3 == 1, np.nan, words.ravel()))
    assert np.isfinite(agreement(holes, 3))
    assert np.isfinite(gap_to_others(holes, 3)).all()


@pytest.mark.lm
def test_the_embedded_encoder_puts_held_out_texts_on_their_side():
    from calm_lm.lm.sentence import MeanPoolEncoder

    encoder = MeanPoolEncoder.load("embedded", local_files_only=True)
    right, gaps = [], []
    for topic in TOPICS:
        axis = Axis(topic, encoder)
        low, high = axis.place(topic.check_low), axis.place(topic.check_high)
        right += [*(low < 0.5), *(high > 0.5)]
        gaps.append(high.mean() - low.mean())
    assert np.mean(right) >= 0.85
    assert min(gaps) > 0.1
