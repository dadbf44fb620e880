"""Chat with a local causal model: greedy or sampled, each reply by the weights and its own request alone.

Each request draws from a generator seeded by its messages and its seed, one number a token, and the number picks from
the model's distribution by the order of token ids. Neighbours in a batch therefore change nothing but the rounding of
logits (about 1e-6 in float32), which moves a draw about once in a million tokens.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from calm_lm.errors import CalmError
from calm_lm.lm.answer_cache import make_key
from calm_lm.lm.batching import length_sorted_batches
from calm_lm.lm.chat import ChatReply, ChatRequest, Finish, OnReply
from calm_lm.lm.folders import identify_tensors
from calm_lm.lm.generation import continue_batch, end_tokens
from calm_lm.lm.tokens import check_texts, pad_id, tokenize_prompts
from calm_lm.lm.usage import Usage

if TYPE_CHECKING:
    from calm_lm.lm.hf import HuggingFaceLM
    from calm_lm.lm.protocol import ModelIdentity


class LocalChat:
    """A causal model as a chat partner; satisfies `ChatModel`.

    With a chat template the conversation goes through it. A model without one continues the contents of all messages,
    a blank line between two, roles left out.

    Args:
        lm: a causal model.
        batch_tokens: bound on a batch's padded tokens, new ones counted.

    Raises:
        CalmError: L57 for a model without a language-model head.
    """

    def __init__(self, lm: HuggingFaceLM, *, batch_tokens: int = 2048) -> None:
        if lm.model.get_output_embeddings() is None:
            raise CalmError(
                "L57",
                "this model has no language-model head, so it cannot chat.",
                value=lm.identity.name,
                fix="use a causal model.",
            )
        self.lm, self.batch_tokens = lm, batch_tokens
        self._ends = end_tokens(lm.model)

    @property
    def identity(self) -> ModelIdentity:
        """That of the weights; LoRA layers make it another's."""
        state = self.lm.lora_state()
        if not state:
            return self.lm.identity
        parts = {"weights": self.lm.identity.fingerprint, "lora": identify_tensors("lora", state, "").fingerprint}
        return replace(self.lm.identity, fingerprint=make_key(parts))

    @property
    def usage(self) -> Usage:
        """That of the model."""
        return self.lm.usage

    def chat(self, requests: Sequence[ChatRequest], *, on_reply: OnReply | None = None) -> list[ChatReply]:
        """Answer every request; temperature 0 gives what `lm.generate` gives.

        Args:
            requests: N requests; of like `max_tokens` and length, some go together.
            on_reply: told the replies of a batch when it is done.

        Returns:
            N replies in the order of the requests. A reply's seconds are its share of its batch's.

        Raises:
            CalmError: L14 for invalid Unicode, L58 where the chat template cannot take the messages, L59 for a
                conversation that is empty or, with its answer, above the model's window; before anything is answered.
        """
        rows = [self._read(request, i) for i, request in enumerate(requests)]
        replies: dict[int, ChatReply] = {}
        for max_tokens in sorted({request.max_tokens for request in requests}):
            members = [i for i, request in enumerate(requests) if request.max_tokens == max_tokens]
            lengths = [len(rows[i]) + max_tokens for i in members]
            for batch in length_sorted_batches(lengths, self.batch_tokens):
                group = [members[k] for k in batch]
                began = time.perf_counter()
                answers = self._continue([rows[i] for i in group], [requests[i] for i in group], max_tokens)
                seconds = (time.perf_counter() - began) / len(group)
                for i, answer in zip(group, answers, strict=True):
                    replies[i] = self._reply(answer, len(rows[i]), seconds)
                    self.lm.usage += Usage.of(replies[i])
                    if on_reply is not None:
                        on_reply(i, replies[i])
        return [replies[i] for i in range(len(requests))]

    def _read(self, request: ChatRequest, index: int) -> list[int]:
        """The token ids of a conversation, the answer's turn opened."""
        if self.lm.tokenizer.chat_template:
            row = self._through_template(request)
        else:
            [row] = tokenize_prompts(self.lm.tokenizer, ["\n\n".join(m.content for m in request.messages)])
        if not row or len(row) + request.max_tokens > self.lm.window:
            raise CalmError(
                "L59",
                f"a conversation must have 1 to {self.lm.window - request.max_tokens} tokens, "
                f"so that {request.max_tokens} new ones fit.",
                row=index + 1,
                field="messages",
                value=f"{len(row)} tokens",
                fix="shorten the messages or ask for fewer new tokens.",
            )
        return row

    def _through_template(self, request: ChatRequest) -> list[int]:
        from jinja2 import TemplateError

        check_texts([message.content for message in request.messages])
        turns = request.as_json()["messages"]
        try:
            text: str = self.lm.tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
            coded = self.lm.tokenizer.apply_chat_template(
                turns, add_generation_prompt=True, tokenize=True, return_dict=True
            )
        except TemplateError as error:  # some templates know no system turn and say so
            raise self._unfit(str(error)) from error
        if any(turn["role"] == "system" and turn["content"].strip() not in text for turn in turns):
            raise self._unfit("it leaves the system turn out")  # and some drop it without a word
        return list(coded["input_ids"])

    def _unfit(self, reason: str) -> CalmError:
        return CalmError(
            "L58",
            "the model's chat template cannot take these messages.",
            field="messages",
            value=reason,
            fix="put the system text into the user's turn, and let user and assistant take turns.",
        )

    def _continue(self, rows: Sequence[list[int]], requests: Sequence[ChatRequest], max_tokens: int) -> list[list[int]]:
        draws = _Draws(requests, max_tokens, max(map(len, rows)))
        return continue_batch(self.lm.model, rows, max_tokens, pad_id(self.lm.tokenizer), draws)

    def _reply(self, answer: list[int], prompt_tokens: int, seconds: float) -> ChatReply:
        text = self.lm.tokenizer.decode(answer, skip_special_tokens=True)
        finish: Finish = "stop" if answer[-1] in self._ends else "length"
        return ChatReply(text, finish, prompt_tokens, len(answer), seconds, 1, None)


class _Draws:
    """Replaces greedy choice in the rows that have a temperature: all logits but the drawn token's become -inf.

    So sampling runs through the very loop of greedy text, with its caches and stops.
    """

    def __init__(self, requests: Sequence[ChatRequest], max_tokens: int, width: int) -> None:
        self._width = width
        self._rows = [i for i, request in enumerate(requests) if request.temperature > 0]
        drawn = [requests[i] for i in self._rows]
        self._temperature = torch.tensor([[r.temperature] for r in drawn], dtype=torch.float64)
        self._top_p = torch.tensor([[r.top_p] for r in drawn], dtype=torch.float64)
        self._uniform = torch.from_numpy(np.array([_uniform(r, max_tokens) for r in drawn]).reshape(-1, max_tokens))

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Scores [B, V] for the greedy choice that follows."""
        if not self._rows:
            return scores
        uniform = self._uniform[:, input_ids.shape[1] - self._width, None]
        logits = scores[self._rows].double().cpu()
        p = torch.softmax((logits - logits.amax(-1, keepdim=True)) / self._temperature, -1)
        if (self._top_p < 1).any():
            p = torch.where(_nucleus(p, self._top_p), p, 0.0)
        summed = p.cumsum(-1)
        token = torch.searchsorted(summed, uniform * summed[:, -1:], right=True)
        chosen = torch.full_like(p, float("-inf")).scatter_(-1, token, 0.0)
        scores = scores.clone()
        scores[self._rows] = chosen.to(scores)
        return scores


def _nucleus(p: Tensor, top_p: Tensor) -> Tensor:
    """The smallest set of likeliest tokens whose probabilities reach `top_p` [B, 1]; bool like `p` [B, V].

    Source: Holtzman and others 2020, section 3.1 (nucleus sampling).
    """
    ordered, order = p.sort(dim=-1, descending=True, stable=True)
    before = ordered.cumsum(-1) - ordered
    return torch.zeros_like(p, dtype=torch.bool).scatter_(-1, order, (before < top_p) | (top_p >= 1))


def _uniform(request: ChatRequest, n: int) -> Any:
    """`n` numbers in [0, 1): the request's own, so that two questions of one seed are not answered by the same luck."""
    asked = request.as_json()
    seed = make_key({"messages": asked["messages"], "seed": asked["seed"]})
    return np.random.default_rng(int(seed, 16)).random(n)
