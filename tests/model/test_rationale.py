"""The generated rationale: real generation on a tiny random model, with injection, and the keep rule."""

from __future__ import annotations

import pytest

from calm_lm.culture.blend import Blend
from calm_lm.lm.hf import HuggingFaceLM

TEXT = "A guest opens a gift at once."


def test_a_rationale_is_generated_read_and_answered(calm) -> None:
    model = calm()
    reader = Blend.of(model.manifest.readers[0])
    found = model.rationalise(TEXT, reader)
    assert found.prompt.startswith(f"Context: {TEXT}\nCultural setting")
    assert found.draft == model.predict([TEXT], [reader])[0].draft
    assert found.kept == (found.second_probability >= found.draft_probability)
    assert {found.draft, found.second} <= set(model.manifest.labels)
    assert -1 <= found.cosine <= 1
    assert 0 <= found.gate <= 1


def test_the_identity_is_injected_where_the_configuration_says(calm, monkeypatch) -> None:
    model = calm()
    seen = []
    generate = HuggingFaceLM.generate

    def watch(self, prompts, **options):
        seen.append(options["inject"])
        return generate(self, prompts, **options)

    monkeypatch.setattr(HuggingFaceLM, "generate", watch)
    model.rationalise(TEXT, Blend.of(model.manifest.readers[0]))
    assert seen[0].layer == (model.manifest.backbone.inject_layer or model.lm.n_layers)
    assert float(seen[0].delta.abs().sum()) > 0


def test_what_the_reason_says_decides_the_second_answer(calm, monkeypatch) -> None:
    model = calm()
    reader = Blend.of(model.manifest.readers[0])
    found = []
    for reason in ("Because.", "Gifts are opened later, when the guests have gone."):
        monkeypatch.setattr(HuggingFaceLM, "generate", lambda self, prompts, reason=reason, **options: [reason])
        found.append(model.rationalise(TEXT, reader))
    assert found[0].draft_probability == pytest.approx(found[1].draft_probability)
    assert found[0].cosine != found[1].cosine
