from __future__ import annotations

import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from calm_lm.errors import CalmError
from calm_lm.lm.hf import HuggingFaceLM
from calm_lm.model.views import LiveViews
from calm_lm.training import states
from calm_lm.training.states import StateStore, require_stored, store_hidden_states

LONG = "A guest brings a cake at a wedding in Singapore, and then another one, and calls after nine on a Sunday."


def quiet(*_):
    return None


@pytest.fixture
def small_shards(monkeypatch):
    """A few texts a shard."""
    monkeypatch.setattr(states, "SHARD_TOKENS", 20)
    monkeypatch.setattr(states, "length_sorted_batches", lambda lengths, limit: [[i] for i in range(len(lengths))])


def test_cached_views_equal_live_ones(world, lm, views):
    texts = [world.TEXTS[0], "Yes", LONG, world.TEXTS[5]]
    cached = views()
    cached.prepare([*texts, "Another text.", LONG], quiet)
    live = LiveViews(lm, None, 3, 128)
    for some in (texts, texts[::-1], ["Yes"], [LONG, "Yes", "Yes"]):
        kept, now = cached(some), live(some)
        assert kept.mask.tolist() == now.mask.tolist()
        assert kept.explicit.tolist() == now.explicit.tolist()
        assert kept.explicit.any() == (LONG in some)  # Singapore
        torch.testing.assert_close(kept.tokens[kept.mask], now.tokens[now.mask], rtol=1e-5, atol=1e-5)
        assert not kept.tokens[~kept.mask].any()
        assert kept.sentence.shape == (len(some), 0)


def test_texts_are_cut_at_max_length_and_shorter_limits_never_mix(views):
    whole, cut = views(), views(max_length=6)
    for part in (whole, cut):
        part.prepare([LONG], quiet)
    assert whole.tokens.folder != cut.tokens.folder
    assert cut([LONG]).tokens.shape[1] == 6 < whole([LONG]).tokens.shape[1]
    torch.testing.assert_close(cut([LONG]).tokens, whole([LONG]).tokens[:, :6], rtol=1e-5, atol=1e-5)


def test_another_layer_or_model_never_mixes(world, views, lm):
    stores = [views(), views(layer=2), views(of=world.tiny_lm(seed=4))]
    assert len({part.tokens.folder for part in stores}) == 3
    stores[0].prepare(["Yes"], quiet)
    assert "Yes" in views().tokens
    assert "Yes" not in views(layer=2).tokens
    assert "Yes" not in views(of=world.tiny_lm(seed=4)).tokens


def test_another_tokenizer_or_number_type_never_mixes(world, views, lm):
    other = world.tiny_lm()
    other.tokenizer.backend_tokenizer.add_tokens(["wedding"])
    half = world.tiny_lm()
    half.model.double()
    folders = {views().tokens.folder, views(of=HuggingFaceLM(other.model, other.tokenizer)).tokens.folder}
    assert len(folders | {views(of=half).tokens.folder}) == 3


def test_the_store_keeps_no_text(world, views, tmp_path):
    views().prepare(world.TEXTS[:8], quiet)
    files = [path for path in (tmp_path / "states").rglob("*") if path.is_file()]
    assert files
    for path in files:
        data = path.read_bytes() + str(path).encode()
        for word in (b"guest", b"Singapore", b"cake", b"wedding"):
            assert word not in data
            assert word.decode().encode("utf-16-le") not in data


def test_texts_are_encoded_once(world, views, lm, monkeypatch):
    views().prepare(world.TEXTS[:6], quiet)
    read: list[str] = []
    real = lm.hidden_states
    monkeypatch.setattr(lm, "hidden_states", lambda texts, *a, **k: (read.extend(texts), real(texts, *a, **k))[1])
    told = []
    again = views()
    again.prepare([*world.TEXTS[:8], world.TEXTS[7]], lambda *said: told.append(said))
    assert sorted(read) == sorted(world.TEXTS[6:8])
    assert told[0] == ("reading texts", 6, 8)
    assert told[-1] == ("reading texts", 8, 8)


def test_interrupted_between_shards_goes_on_there(world, views, lm, monkeypatch, small_shards):
    texts = list(world.TEXTS[:8])
    real, calls = lm.hidden_states, []

    def breaks(chunk, *args, **kwargs):
        calls.extend(chunk)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return real(chunk, *args, **kwargs)

    monkeypatch.setattr(lm, "hidden_states", breaks)
    with pytest.raises(KeyboardInterrupt):
        views().prepare(texts, quiet)
    kept = [text for text in texts if text in views().tokens]
    assert 0 < len(kept) < 6
    calls.clear()
    calls.extend(["no more breaks"] * 10)
    views().prepare(texts, quiet)
    assert sorted(calls[10:]) == sorted(set(texts) - set(kept))
    assert not views().tokens.missing(texts)


@pytest.mark.parametrize("harm", ["truncated", "empty", "flipped", "renamed"])
def test_a_damaged_shard_is_set_aside_and_made_again(world, views, small_shards, harm):
    texts = list(world.TEXTS[:8])
    views().prepare(texts, quiet)
    before = views()(texts)
    shards = sorted(views().tokens.folder.glob("shard-*"))
    assert len(shards) > 2
    data = shards[1].read_bytes()
    if harm == "renamed":
        shards[1].rename(shards[1].with_name("shard-00000000000000000000.safetensors"))
    else:
        shards[1].write_bytes({"truncated": data[:-7], "empty": b"", "flipped": data[:-5] + b"\x01" + data[-4:]}[harm])
    again = views()
    assert len(again.tokens.damaged) == 1
    lost = again.tokens.missing(texts)
    assert 0 < len(lost) < len(texts)
    again.prepare(texts, quiet)
    after = again(texts)
    assert torch.equal(after.tokens, before.tokens)
    assert torch.equal(after.explicit, before.explicit)
    assert not views().tokens.damaged


@pytest.fixture(scope="module")
def one_shard(tmp_path_factory):
    """A store with one shard, its bytes and what it holds."""
    folder = tmp_path_factory.mktemp("flips")
    store = StateStore(folder, ["x"])
    generator = torch.Generator().manual_seed(0)
    tensors = [torch.randn(size, 4, generator=generator) for size in (2, 3, 1)]
    store.add(["a", "b", "c"], tensors, [torch.arange(2 * len(t)).view(-1, 2) for t in tensors])
    path = next(store.folder.glob("shard-*"))
    return folder, path, path.read_bytes(), dict(zip("abc", tensors, strict=True))


@settings(max_examples=150)
@given(data=st.data())
def test_no_flipped_bit_ever_gives_other_numbers(one_shard, data):
    folder, path, whole, kept = one_shard
    bit = data.draw(st.integers(0, 8 * len(whole) - 1))
    flipped = bytearray(whole)
    flipped[bit // 8] ^= 1 << bit % 8
    path.write_bytes(flipped)
    store = StateStore(folder, ["x"])
    for text, numbers in kept.items():
        if text in store:
            assert torch.equal(store.get([text]).states[0], numbers)
    path.write_bytes(whole)


def test_a_frozen_store_is_never_filled_by_an_adapted_model(world, lm, views, tmp_path):
    """The store is named by the frozen weights; with LoRA attached its states must still be theirs."""
    frozen = views()
    frozen.prepare([LONG], quiet)
    adapted = world.tiny_lm()
    adapted.add_lora(range(1, 3), r=2, seed=1)
    adapted.load_lora_state({name: torch.ones_like(value) for name, value in adapted.lora_state().items()})
    assert not torch.allclose(adapted.hidden_states([LONG], [3]).states, lm.hidden_states([LONG], [3]).states)
    late_views = type(frozen)(adapted, None, 3, 128, tmp_path / "late")
    late_views.prepare([LONG], quiet)
    assert late_views.tokens.folder.name == frozen.tokens.folder.name
    assert torch.equal(late_views([LONG]).tokens, frozen([LONG]).tokens)
    assert all(p.requires_grad for n, p in adapted.model.named_parameters() if "lora_" in n)


def test_texts_that_were_never_encoded_are_named_by_number(views):
    store = views().tokens
    with pytest.raises(CalmError, match=r"\[T01\].*2 texts"):
        require_stored(store, ["one", "two", "one"])
    with pytest.raises(KeyError):
        store.get(["one"])


def test_an_empty_store_gives_empty_tensors(views):
    got = views().tokens.get([])
    assert got.states.shape == (0, 0, 0)


def test_nothing_to_encode_writes_nothing(views, lm):
    store = views().tokens
    store_hidden_states(store, lm, 3, [], max_length=128, progress=quiet)
    assert not list(store.folder.iterdir())
    assert re.fullmatch(r"[0-9a-f]{20}", store.folder.name)
