"""Log-probabilities of many continuations in few tokens: shared prefixes once, all options of a prompt in one row.

A row is a tree of tokens (`calm_lm.lm.token_tree`): each sees the prefix and its own ancestors and has the
position it has in its text, so the numbers are those of texts read one by one. Tree attention is known from
speculative decoding (Miao et al. 2023, arXiv:2305.09781, section 4.2). The head, which costs as much as several
layers, runs only on the tokens after which something is scored. Not every model can do this, so each is tried.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor

from calm_lm.lm.batching import length_sorted_batches, pad_tokens
from calm_lm.lm.plain_scores import Path, plain_sums, wide
from calm_lm.lm.prefix_cache import compute_prefix
from calm_lm.lm.token_tree import PASS_TOKENS, Group, Read, Tree, lay_out, plan_rows
from calm_lm.lm.tokens import pad_id, tokenize_prompts

PREFIX_SHARE = 4  # a prefix token counts as a quarter of a row's token: its keys and values are all it needs
ROWS_OF_LOGITS = 64
PROBE = "One, two, three, four, five guests came home before the sun went down, and nobody knew who had asked them in."
PROBE_TOKENS = 22
PROBE_ROW_TOKENS = 64  # fewer than two prompts need, so that each has a row of its own
PROBE_EVERY = 5
KERNELS = ("sdpa", "eager")  # the attentions that take any mask; some others end the process on one
REACHES = ("sliding_window", "sliding_window_size", "attention_chunk_size", "window_size", "local_attention",
           "original_max_position_embeddings")  # fmt: skip


def shared_sums(model: Any, paths: Sequence[Path], *, reach: int, fill: int, batch_tokens: int) -> Tensor:
    """Summed log-probability of each path's scored tokens, shared tokens computed once where it pays.

    Args:
        model: a causal model with its head.
        paths: N token sequences of at most `reach` tokens.
        reach: what `shared_reach` found for this model; no row with its prefix is longer.
        fill: id of padding.
        batch_tokens: bound on a batch's padded tokens; of a prefix, every fourth token counts in every row.

    Returns:
        float64 [N] on the CPU, in nats.
    """
    asked = _Asked.of(paths)
    return _sums_of_groups(model, asked, plan_rows(asked.reads, most=reach), fill, batch_tokens)


def shared_reach(model: Any, tokenizer: Any, window: int) -> int:
    """Up to how many tokens `shared_sums` is exact for this model; 0 where it is not.

    A short text is scored both ways, with a prefix and with branching rows. A model that lacks the means
    (positions and a mask of the caller's own, a cache of keys and values) fails or gives other numbers: more than
    1e-4 of the largest sum apart, or three rounding steps of 16-bit numbers (our choice).
    What that short text cannot show, layers that see a window of the last tokens only and positions that change
    their scale in long texts, the configuration tells.
    """
    config = model.config.get_text_config()
    rope = getattr(config, "rope_parameters", None) or {}
    told = [getattr(config, name, None) for name in REACHES] + [rope.get("original_max_position_embeddings")]
    bounds = [bound for bound in told if isinstance(bound, int) and bound > 0]
    partial = set(getattr(config, "layer_types", None) or ()) - {"full_attention"}
    if config._attn_implementation not in KERNELS or (partial and not bounds):
        return 0
    return min([window, *bounds]) if _agrees(model, tokenizer) else 0


def _agrees(model: Any, tokenizer: Any) -> bool:
    fill = pad_id(tokenizer)
    paths = _probe_paths(tokenizer)
    asked = _Asked.of(paths)
    plan = plan_rows(asked.reads, most=len(paths) * PROBE_TOKENS, row_tokens=PROBE_ROW_TOKENS, pass_tokens=0)
    plain = plain_sums(model, paths[::PROBE_EVERY], fill=fill, batch_tokens=PROBE_ROW_TOKENS)
    try:
        found = _sums_of_groups(model, asked, plan, fill, batch_tokens=4 * PROBE_ROW_TOKENS)[::PROBE_EVERY]
    except Exception:  # an architecture may refuse in any way; the plain path is there for it
        return False
    tolerance = max(1e-4, 3 * torch.finfo(model.dtype).eps)
    return bool((found - plain).abs().max() <= tolerance * plain.abs().max())


def _probe_paths(tokenizer: Any) -> list[Path]:
    """Two prompts behind one prefix with so many options that a token's place in its row is far from its position."""
    text = tokenize_prompts(tokenizer, [PROBE])[0]
    ids = tuple((text * PROBE_TOKENS)[:PROBE_TOKENS])
    one, two = ids[:14], ids[:9] + ids[14:17]
    return [
        Path(two[:-1] + ids[20:22], len(two) - 1),  # a border that was merged
        *(Path(one + ids[i : i + 2] + ids[:2], len(one)) for i in range(20)),
        *(Path(two + ids[i : i + 1 + i % 3], len(two)) for i in range(20)),
    ]


class _Asked(NamedTuple):
    """What has to be read, sorted and without repetition, and the paths whose last token follows on each."""

    reads: list[Read]
    paths: Sequence[Path]
    follows: list[list[int]]

    @classmethod
    def of(cls, paths: Sequence[Path]) -> _Asked:
        follows: dict[tuple[int, ...], list[int]] = {}
        for i, path in enumerate(paths):
            follows.setdefault(path.ids[:-1], []).append(i)
        order = sorted(follows)
        reads = [Read(ids, min(paths[i].start for i in follows[ids]) - 1) for ids in order]
        return cls(reads, paths, [follows[ids] for ids in order])


class _Wanted(NamedTuple):
    """Predictions to look up in a batch [B, T]: at `cell` (row x T + token) for `target`, added to `path`'s sum."""

    cell: int
    target: int
    path: int


def _sums_of_groups(model: Any, asked: _Asked, groups: Sequence[Group], fill: int, batch_tokens: int) -> Tensor:
    sums = torch.zeros(len(asked.paths), dtype=torch.float64)
    for prefix, rows in groups:
        trees = [lay_out([asked.reads[i] for i in row], prefix) for row in rows]
        shared = asked.reads[rows[0][0]].ids[:prefix]
        sizes = [len(tree.tokens) + prefix // PREFIX_SHARE for tree in trees]
        with torch.no_grad():
            cache = compute_prefix(model, torch.tensor([shared], device=model.device)) if prefix else None
            for batch in _even_batches(sizes, batch_tokens):
                chosen = [trees[i] for i in batch]
                width = max(len(tree.tokens) for tree in chosen)
                wanted = [w for b, i in enumerate(batch) for w in _wanted(asked, rows[i], trees[i], b * width)]
                cells, targets, paths = (torch.tensor(column) for column in zip(*wanted, strict=True))
                sums.index_add_(0, paths, _log_probs(model, chosen, prefix, cache, cells, targets, fill))
    return sums


def _even_batches(sizes: Sequence[int], batch_tokens: int) -> Iterator[list[int]]:
    """Batches by length, ended where more padding would be computed than one more pass costs."""
    for batch in length_sorted_batches(sizes, batch_tokens):
        begun, padding = 0, 0
        for at, row in enumerate(batch):
            padding += sizes[batch[begun]] - sizes[row]
            if padding > PASS_TOKENS:
                yield batch[begun:at]
                begun, padding = at, 0
        yield batch[begun:]


def _wanted(asked: _Asked, row: range, tree: Tree, offset: int) -> Iterator[_Wanted]:
    for i, nodes in zip(row, tree.where, strict=True):
        for path in asked.follows[i]:
            ids, start = asked.paths[path]
            late = start - 1 - asked.reads[i].first
            for node, target in zip(nodes[late:], ids[start:], strict=True):
                yield _Wanted(offset + node, target, path)


def _log_probs(
    model: Any, trees: Sequence[Tree], prefix: int, cache: Any, cells: Tensor, targets: Tensor, fill: int
) -> Tensor:
    """float64 [K] log-probabilities of `targets` at `cells` of the batch of trees."""
    device = model.device
    ids = pad_tokens([tree.tokens for tree in trees], fill)[0].to(device)
    depths = pad_tokens([tree.depths for tree in trees], prefix)[0].to(device)
    ends = pad_tokens([tree.ends for tree in trees], ids.shape[1])[0].to(device)
    needed, place = torch.unique(cells.to(device), return_inverse=True)
    with _head_only_at(model, needed):
        logits = model(
            input_ids=ids,
            position_ids=depths,
            attention_mask=_tree_mask(ends, prefix, model.dtype),
            past_key_values=cache,
            use_cache=cache is not None,
        ).logits[0]
    totals = torch.cat([wide(part).logsumexp(-1) for part in logits.split(ROWS_OF_LOGITS)])
    found: Tensor = logits[place, targets.to(device)].double() - totals[place].double()
    return found.cpu()


def _tree_mask(ends: Tensor, prefix: int, dtype: torch.dtype) -> Tensor:
    """[B, 1, T, prefix + T], 0 where a token sees another, else the least number of `dtype`.

    Padding has `ends` T: it sees the prefix and itself, so no row of the softmax is empty, and nobody sees it.
    """
    n, width = ends.shape
    at = torch.arange(width, device=ends.device)
    seen = (at[None, :] <= at[:, None]) & (at[None, :, None] < ends[:, None, :])
    mask = torch.zeros((n, 1, width, prefix + width), dtype=dtype, device=ends.device)
    mask[..., prefix:].masked_fill_(~seen[:, None], torch.finfo(dtype).min)
    return mask


@contextmanager
def _head_only_at(model: Any, cells: Tensor) -> Iterator[None]:
    """Inside the block the model gives logits [1, K, V] of the batch's flattened `cells` [K] alone.

    The model's own forward pass goes on, so whatever it does to its logits (scales, caps) is done.
    """

    def pick(module: Any, args: tuple[Tensor, ...]) -> tuple[Tensor]:
        return (args[0].flatten(0, 1)[cells].unsqueeze(0),)

    handle = model.get_output_embeddings().register_forward_pre_hook(pick)
    try:
        yield
    finally:
        handle.remove()
