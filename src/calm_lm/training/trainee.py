"""The module that training wraps: one forward from a batch of rows to everything the objective needs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from calm_lm.model.batch import TextBatch
from calm_lm.model.calm import CalmModel
from calm_lm.model.evidence import EvidenceRows
from calm_lm.model.loop import EncodedPrompts, StatesOf, reflect
from calm_lm.training.objective import TrainingPass


class Trainee(nn.Module):
    """The network and, where layers adapt, the LoRA matrices, as one module with one forward."""

    def __init__(self, model: CalmModel, lora: Sequence[nn.Parameter], prompts: EncodedPrompts) -> None:
        super().__init__()
        self.network = model.network
        self.lora = nn.ParameterList(lora)
        self._parts = (model, prompts)  # a tuple keeps them from being registered as submodules

    def forward(
        self,
        texts: TextBatch,
        readers: Tensor,
        text_of: Tensor,
        temperature: float,
        evidence: EvidenceRows | None,
        rounds: int,
    ) -> TrainingPass:
        """Encode, draft and (with `rounds` above 0) reflect; some rows are read without their reader."""
        model, prompts = self._parts
        network = self.network
        dropped = torch.rand(len(readers), device=readers.device) < network.config.reader_dropout
        dropped = dropped & self.training
        rows = model.rows(texts, readers.masked_fill(dropped.unsqueeze(1), 0.0), text_of)
        encoding = network.encode(rows, temperature)
        explicit_view, latent_view = network.window(encoding.explicit, encoding.latent)
        states_of = StatesOf(network, prompts, temperature)
        answer = reflect(network, rows, encoding, model.prompts, states_of, evidence, rounds=rounds)
        last = answer.rounds[-1] if answer.rounds else None
        return TrainingPass(
            encoding.task, encoding.explicit, encoding.latent, encoding.state,
            encoding.routing.probabilities, encoding.routing.chosen, explicit_view, latent_view,
            answer.draft, last.second if last else None, last.moved if last else None, dropped.float(),
        )  # fmt: skip
