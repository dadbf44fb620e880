"""Keys and values of a prefix, read by every row of a batch and copied for none beyond the layer at work."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor


def compute_prefix(model: Any, ids: Tensor) -> Any:
    """Run the model's stack of layers, without its head, on a prefix.

    Args:
        model: a causal model of transformers.
        ids: [1, P] int64, on the model's device.

    Returns:
        A cache of transformers for any number of rows behind the prefix. It never grows: what a row adds is
        dropped when its layer is done, so the memory for keys and values of many rows is that of one layer.
    """
    from transformers import DynamicCache

    cache: Any = DynamicCache()
    model.base_model(input_ids=ids, past_key_values=cache, use_cache=True)
    for layer in cache.layers:
        layer.update = partial(_behind, layer.keys, layer.values)
    return cache


def _behind(keys: Tensor, values: Tensor, more_keys: Tensor, more_values: Tensor, *_: Any, **__: Any) -> Any:
    """Keys and values [1, heads, P, width] before those of each row [B, heads, T, width]: [B, heads, P + T, width]."""
    size = (len(more_keys), -1, -1, -1)
    return torch.cat([keys.expand(size), more_keys], dim=-2), torch.cat([values.expand(size), more_values], dim=-2)
