"""A chat model that never asks the same request twice: neither in a call, nor in a run resumed after a kill."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, cast

from pydantic import TypeAdapter, ValidationError

from calm_lm.lm.answer_cache import AnswerCache, Json, make_key
from calm_lm.lm.chat import ChatModel, ChatReply, ChatRequest, OnReply

if TYPE_CHECKING:
    from calm_lm.lm.protocol import ModelIdentity
    from calm_lm.lm.usage import Usage

KIND = "chat 1"  # a change of ChatRequest.as_json or of ChatReply asks for the next number
_REPLY = TypeAdapter(ChatReply)


class CachedChat:
    """`model` behind `cache`; satisfies `ChatModel`. Failed replies are not kept, so they are asked again.

    Args:
        model: asked for what is not in the cache.
        cache: open; may be shared by models, as each entry is under its model's fingerprint.

    Attributes:
        hits: requests answered without asking since the start.
        asked: requests handed on to the model since the start.
    """

    def __init__(self, model: ChatModel, cache: AnswerCache) -> None:
        self.model, self.cache = model, cache
        self.hits = self.asked = 0

    @property
    def identity(self) -> ModelIdentity:
        """That of the model."""
        return self.model.identity

    @property
    def usage(self) -> Usage:
        """That of the model: what came from the cache was paid for before."""
        return self.model.usage

    def chat(self, requests: Sequence[ChatRequest], *, on_reply: OnReply | None = None) -> list[ChatReply]:
        """Answer from the cache, ask for the rest in the order given; each answer is on disk before it is told.

        A reply from the cache tells the seconds and attempts it once took.

        Raises:
            CalmError: what the model raises, and L56 where the cache cannot be written.
        """
        replies: dict[int, ChatReply] = {}
        places: dict[str, list[int]] = {}  # of each key that must be asked for, the requests that wait for it

        def tell(index: int, reply: ChatReply) -> None:
            replies[index] = reply
            if on_reply is not None:
                on_reply(index, reply)

        for index, request in enumerate(requests):
            key = self.key(request)
            known = None if key in places else self._known(key)
            if known is None:
                places.setdefault(key, []).append(index)
            else:
                self.hits += 1
                tell(index, known)
        keys = list(places)

        def keep(at: int, reply: ChatReply) -> None:
            if reply.finish != "failed":
                self.cache.put(keys[at], cast("Json", asdict(reply)))
            self.asked += 1
            self.hits += len(places[keys[at]]) - 1
            for index in places[keys[at]]:
                tell(index, reply)

        if keys:
            self.model.chat([requests[places[key][0]] for key in keys], on_reply=keep)
        return [replies[index] for index in range(len(requests))]

    def key(self, request: ChatRequest) -> str:
        """Where the answer to a request lies in the cache."""
        return make_key({"kind": KIND, "model": self.identity.fingerprint, "request": request.as_json()})

    def _known(self, key: str) -> ChatReply | None:
        value = self.cache.get(key)
        if value is None:
            return None
        try:
            return _REPLY.validate_json(json.dumps(value), strict=True)
        except ValidationError:  # whole by its checksum, yet not written by this class
            self.cache.drop(key)
            return None
