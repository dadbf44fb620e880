"""Names and groups of baselines, and which of them fit a run."""

from __future__ import annotations

import pytest

from calm_lm.baselines.registry import BASELINES, applicable, baseline_names, get_baseline, lacking
from calm_lm.errors import CalmError


def test_groups_hold_what_the_evaluation_compares():
    frozen = baseline_names()
    assert {"majority", "tfidf", "sentence", "states", "both", "nearest", "mlp", "blind"} <= set(frozen)
    assert not {"both-by-reader", "prompt", "lora-tag"} & set(frozen)
    assert baseline_names("prompt") == ["prompt", "prompt-country"]
    assert baseline_names("lora") == ["lora-tag", "lora-heads"]
    assert "both-by-reader" in baseline_names("demo")
    assert set(baseline_names("frozen,prompt,lora,demo")) == set(BASELINES)


def test_names_and_groups_mix_and_come_once():
    assert baseline_names(" tfidf, prompt,tfidf ") == ["tfidf", "prompt", "prompt-country"]
    assert baseline_names("") == []


@pytest.mark.parametrize(("name", "near"), [("tf-idf", "tfidf"), ("lora_tag", "lora-tag"), ("zzz", "frozen")])
def test_unknown_names_name_the_nearest(name, near):
    with pytest.raises(CalmError, match="B01") as caught:
        baseline_names(f"majority,{name}")
    assert near in caught.value.fix


def test_every_baseline_says_what_it_is():
    assert all(baseline.name == name and 10 < len(baseline.what) < 70 for name, baseline in BASELINES.items())
    assert {name for name, baseline in BASELINES.items() if baseline.seeds} == {
        "mlp",
        "blind",
        "lora-tag",
        "lora-heads",
    }


def test_what_does_not_fit_a_run_is_left_out_with_its_reason(world):
    plain = world(sentence=False, readers=False).given
    kept, reasons = applicable(list(BASELINES), plain)
    assert kept == ["majority", "tfidf", "states", "nearest", "mlp", "prompt"]
    assert "sentence" in reasons["both"]
    assert "adapts no layers" in reasons["lora-tag"]
    assert "no reader" in reasons["blind"]
    assert applicable(["lora-tag", "both"], world("backbone.adapt_layers=[1,2]").given) == (["lora-tag", "both"], {})
    assert lacking("majority", plain) is None


def test_what_is_kept_can_be_fitted(world):
    here = world("train.epochs=0.2", sentence=False, readers=False, votes=False)
    for name in applicable(list(BASELINES), here.given)[0]:
        assert get_baseline(name).fit(here.given, 0)(here.test).shape == (24, 2)
