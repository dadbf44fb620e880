"""What CALM adds to the time of the language model it reads, at prediction.

    .venv/bin/python benchmarks/reflection.py --json

Preset `small` on the embedded models with encode-only reflection: 32 invented texts of 15 to 40 tokens, each
read by one reader, and by two. In turns run the backbone up to the read layer alone, all views of the texts
(backbone, sentence encoder, explicit mentions), CALM on views that lie ready (stages, draft, reflection), and
both after each other. Bound: CALM takes at most 10 % of the views' time. Weights are fresh; they decide nothing
about time but the rounds of reflection, and the network here never stops before the second.
"""

# ruff: noqa: T201  (a benchmark's output is what it prints)
from __future__ import annotations

from itertools import product

import torch
from rounds import finish, interleave, parser, ratio

from calm_lm.culture.blend import Blend
from calm_lm.data.example import Dataset, Example
from calm_lm.model.batch import TextBatch
from calm_lm.model.calm import CalmModel
from calm_lm.model.views import _mentions
from calm_lm.training.material import Vocabulary
from calm_lm.training.presets import build_config
from calm_lm.training.run import load_backbone, new_model

BOUND = 0.10
TEXTS_AT_ONCE = 32
READERS = ("AU", "GB", "SG", "US", "ZA")
WHO = (
    "My new neighbour",
    "A friend of the family from Brazil",
    "The youngest teacher at our school",
    "An old colleague",
)
WHAT = (
    "came to dinner half an hour late and kept the shoes on",
    "opened the present at once and asked what it had cost",
    "left a large tip on the table although nobody had asked for it",
    "called every older person by the first name from the very first day",
)
WHERE = (
    "and then went home.",
    "at the wedding in Singapore last spring, in front of both families.",
)


def texts() -> list[str]:
    """32 different texts."""
    made = [f"{who} {what} {where}" for who, what, where in product(WHO, WHAT, WHERE)]
    assert len(made) == TEXTS_AT_ONCE
    return made


def fresh_model(*overrides: str) -> CalmModel:
    """CALM `small` with weights of the first step, two labels and five readers."""
    config = build_config({}, list(overrides))
    row = Example("A text.", "0", "0", 0, votes=(3, 2), reader=Blend.of(READERS[0]))
    rows = tuple(Example("A text.", r, "0", 0, votes=(3, 2), reader=Blend.of(r)) for r in READERS)
    dataset = Dataset("invented", ("fine", "odd"), 1, {"train": (row, *rows)}, "reader")
    torch.manual_seed(0)
    model = new_model(config, dataset, Vocabulary.of(dataset, readers=True), load_backbone(config))
    torch.nn.init.normal_(model.network.references)
    model.network.eval()
    return model


def measure(model: CalmModel, readers_per_text: int, rounds: int) -> dict[str, list[float]]:
    """Seconds of backbone, views, CALM on ready views, and both together."""
    material = texts()
    blends = [Blend.of(READERS[i % len(READERS)]) for i in range(len(material) * readers_per_text)]
    text_of = torch.arange(len(material)).repeat(readers_per_text)
    weights = model.reader_weights(blends)
    length = model.manifest.backbone.max_length

    def views() -> TextBatch:
        _mentions.cache_clear()  # texts are new to a user
        return model.views(material)

    ready = views()
    tokens = ready.mask.sum(1)
    answer = model.answer(ready, weights, text_of)[1]
    print(
        f"{len(material)} texts of {int(tokens.min())} to {int(tokens.max())} tokens, {len(blends)} rows, "
        f"{len(answer.rounds)} rounds of reflection"
    )
    return interleave(
        {
            "backbone": lambda: model.lm.hidden_states(material, [model.read_layer], max_length=length),
            "views": views,
            "calm": lambda: model.answer(ready, weights, text_of),
            "both": lambda: model.answer(views(), weights, text_of),
        },
        rounds=rounds,
    )


def main() -> None:
    """Measure one and two readers per text and print what is added."""
    options = parser(__doc__, rounds=12)
    options.add_argument("--threads", type=int, default=torch.get_num_threads())
    chosen = options.parse_args()
    torch.set_num_threads(chosen.threads)
    failures, results = [], {}
    model = fresh_model("model.stop_cosine=1.0")
    for readers in (1, 2):
        name = f"{readers} reader{'s' * (readers - 1)} a text"
        print(f"\n{name}")
        seconds = measure(model, readers, chosen.rounds)
        ratios = {
            "CALM / views": ratio(seconds, "calm", "views"),
            "CALM / backbone alone": ratio(seconds, "calm", "backbone"),
            "views / backbone alone": ratio(seconds, "views", "backbone"),
            "views and CALM / views": ratio(seconds, "both", "views"),
        }
        results[name] = {"seconds": seconds, "ratios": ratios}
        for what, value in ratios.items():
            print(f"  {what}: {value}")
        added = ratios["CALM / views"].median
        if added > BOUND:
            failures.append(f"{name}: CALM adds {added:.1%}, bound {BOUND:.0%}")
    finish("reflection", results, save=chosen.json, failures=failures)


if __name__ == "__main__":
    main()
