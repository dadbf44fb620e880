"""Damaged and hostile model folders: each ends in one clear error, quickly, and nothing of it is run or written."""

from __future__ import annotations

import json
import os
import pickle
import random
import resource
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load, save

from calm_lm.errors import CalmError
from calm_lm.files import sha256_bytes
from calm_lm.model.calm import CalmModel

Damage = Callable[["Folder"], object]
CASES: dict[str, tuple[str, Damage]] = {}  # name to (which saved model, what is done to it)


class Folder:
    """A copy of a saved model that a case damages."""

    def __init__(self, path: Path, canary: Path) -> None:
        self.path, self.canary = path, canary
        self.weights_path, self.config_path = path / "model.safetensors", path / "config.json"

    @property
    def config(self) -> dict[str, Any]:
        return json.loads(self.config_path.read_text())

    @property
    def weights(self) -> bytes:
        return self.weights_path.read_bytes()

    @property
    def header(self) -> dict[str, Any]:
        return json.loads(self.weights[8 : self.header_end])

    @property
    def header_end(self) -> int:
        return 8 + int.from_bytes(self.weights[:8], "little")

    def put_config(self, config: object) -> None:
        self.config_path.write_text(json.dumps(config))

    def change_config(self, change: Callable[[bytes], bytes]) -> None:
        self.config_path.write_bytes(change(self.config_path.read_bytes()))

    def put(self, data: bytes, signed: bool = True) -> None:
        """New tensor bytes; `signed` makes config.json vouch for them, so that deeper checks are reached."""
        self.weights_path.write_bytes(data)
        if signed:
            self.put_config(self.config | {"weights_sha256": sha256_bytes(data)})

    def put_tensors(self, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
        tensors = load(self.weights)
        change(tensors)
        self.put(save(tensors))

    def put_header(self, header: bytes | object, *, data: bytes | None = None) -> None:
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        body = self.weights[self.header_end :] if data is None else data
        self.put(len(text).to_bytes(8, "little") + text + body)

    def put_field(self, place: str, value: object) -> None:
        config = self.config
        at = config
        *path, last = place.split(".")
        for part in path:
            at = at[part]
        at[last] = value
        self.put_config(config)


def case(name: str, damage: Damage, base: str = "plain") -> None:
    assert name not in CASES, name
    CASES[name] = (base, damage)


# -- truncations and flipped bits ------------------------------------------------------------------

for share in (0, 0.0005, 0.001, 0.01, 0.03, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.9999):
    for signed in (True, False):
        case(
            f"weights cut at {share} {signed=}",
            lambda f, s=share, v=signed: f.put(f.weights[: int(len(f.weights) * s)], v),
        )
for size in (1, 7, 8, 9, 64):
    case(f"weights cut to {size} bytes", lambda f, n=size: f.put(f.weights[:n]))
for step in (-1, 0, 1):
    case(f"weights cut at header end {step:+d}", lambda f, n=step: f.put(f.weights[: f.header_end + n]))
case("weights short of one byte", lambda f: f.put(f.weights[:-1]))
case("weights with a byte too many", lambda f: f.put(f.weights + b"\0"))
case("weights doubled", lambda f: f.put(f.weights * 2))
for share in range(20):
    case(f"config cut at {share * 5} %", lambda f, s=share: f.change_config(lambda d: d[: len(d) * s // 20]))


def flip(data: bytes, place: int, bit: int) -> bytes:
    return data[:place] + bytes([data[place] ^ (1 << bit)]) + data[place + 1 :]


draw = random.Random(20260107)
for number in range(30):
    where, bit = draw.random(), draw.randrange(8)
    case(
        f"unsigned bit flip {number}",
        lambda f, w=where, b=bit: f.put(flip(f.weights, int(w * len(f.weights)), b), signed=False),
    )
for number in range(40):
    where, bit = draw.random(), draw.randrange(8)
    case(
        f"signed bit flip in the header {number}",
        lambda f, w=where, b=bit: f.put(flip(f.weights, int(w * f.header_end), b)),
    )
for number in range(12):
    where = draw.random()
    case(f"high bit in config {number}", lambda f, w=where: f.change_config(lambda d: flip(d, int(w * len(d)), 7)))

# -- tensors ---------------------------------------------------------------------------------------

NAMES = (
    "network.experts.layers.0.up.weight",
    "network.head.bias",
    "network.profile.tokens",
    "network.scale.std",
    "network.references",
    "network.class_means",
    "network.experts.router",
)
KINDS = (torch.float64, torch.float16, torch.bfloat16, torch.int32, torch.uint8, torch.bool)


def longer(tensor: torch.Tensor) -> torch.Tensor:
    return torch.cat([tensor, torch.ones(1, *tensor.shape[1:])])


for name in NAMES:
    case(f"{name} missing", lambda f, n=name: f.put_tensors(lambda t: t.pop(n)))
    case(f"{name} renamed", lambda f, n=name: f.put_tensors(lambda t: t.update({n + "x": t.pop(n)})))
    case(f"{name} flat", lambda f, n=name: f.put_tensors(lambda t: t.update({n: t[n].flatten().unsqueeze(0)})))
    case(f"{name} longer", lambda f, n=name: f.put_tensors(lambda t: t.update({n: longer(t[n])})))
    for kind in KINDS:
        case(f"{name} as {kind}", lambda f, n=name, k=kind: f.put_tensors(lambda t: t.update({n: t[n].to(k)})))
    for bad in (float("nan"), float("inf"), float("-inf")):
        if name != "network.class_means":  # which has no numbers here
            case(f"{name} with {bad}", lambda f, n=name, b=bad: f.put_tensors(lambda t: t[n].view(-1)[-1:].fill_(b)))
case("no tensors", lambda f: f.put_tensors(lambda t: t.clear()))
case("extra tensor", lambda f: f.put_tensors(lambda t: t.update({"network.more": torch.ones(2)})))
case("tensor of no part", lambda f: f.put_tensors(lambda t: t.update({"more": torch.ones(2)})))
case("tensor named upwards", lambda f: f.put_tensors(lambda t: t.update({"../../escape": torch.ones(2)})))
case("tensor with an absolute name", lambda f: f.put_tensors(lambda t: t.update({"/etc/escape": torch.ones(2)})))
case("tensor with a control name", lambda f: f.put_tensors(lambda t: t.update({"network.\x1b[2J\n": torch.ones(2)})))
case("spread of zero", lambda f: f.put_tensors(lambda t: t["network.scale.std"].zero_()))
case("spread below zero", lambda f: f.put_tensors(lambda t: t["network.pooled_scale.std"].neg_()))
case("LoRA without adapted layers", lambda f: f.put_tensors(lambda t: t.update({"lora.x": torch.ones(2, 2)})))
A = "lora.layers.1.self_attn.q_proj.lora_A.weight"
for what, change in {
    "missing": lambda t: t.pop(A), "renamed": lambda t: t.update({A.replace("layers.1", "layers.0"): t.pop(A)}),
    "climbing": lambda t: t.update({"lora.../x": t.pop(A)}),
    "of another rank": lambda t: t.update({A: torch.ones(3, 32)}),
    "misshapen": lambda t: t.update({A: torch.ones(2, 31)}),
    "of whole numbers": lambda t: t.update({A: t[A].long()}),
    "of half precision": lambda t: t.update({A: t[A].half()}), "NaN": lambda t: t[A].fill_(float("nan")),
    "extra": lambda t: t.update({"lora.more": torch.ones(2, 2)}),
    "all gone": lambda t: [t.pop(n) for n in list(t) if n.startswith("lora.")],
}.items():  # fmt: skip
    case(f"LoRA {what}", lambda f, c=change: f.put_tensors(c), "lora")

# -- the part that reads norm records ---------------------------------------------------------------

for name in ("situation.weight", "norm.0.weight", "sharpness", "prompt"):
    full = f"network.evidence.{name}"
    for what, change in {
        "missing": lambda t, n: t.pop(n), "flat": lambda t, n: t.update({n: t[n].flatten().unsqueeze(0)}),
        "longer": lambda t, n: t.update({n: longer(t[n])}), "half": lambda t, n: t.update({n: t[n].half()}),
        "NaN": lambda t, n: t[n].view(-1)[-1:].fill_(float("nan")),
    }.items():  # fmt: skip
        case(f"{full} {what}", lambda f, c=change, n=full: f.put_tensors(lambda t: c(t, n)), "cites")
case("norms read by a part that is not there", lambda f: f.put_field("sizes.evidence", True))
case("a part that reads norms and is not declared", lambda f: f.put_field("sizes.evidence", False), "cites")
case("norms read neither true nor false", lambda f: f.put_field("sizes.evidence", 1), "cites")
for place in ("sizes.d_model", "model.width", "model.mlp_hidden"):
    case(f"{place} of 10^9 in a model that reads norms", lambda f, p=place: f.put_field(p, 10**9), "cites")
case("pickle named safetensors", lambda f: f.put(pickle.dumps(Bomb(f.canary))), "cites")

# -- headers by hand -------------------------------------------------------------------------------


def entry(change: dict[str, object], name: str = "network.head.bias") -> Damage:
    return lambda f: f.put_header(f.header | {name: f.header[name] | change})


for what, change in {
    "overlap": {"data_offsets": [0, 12]}, "reversed": {"data_offsets": [12, 0]},
    "far": {"data_offsets": [2**40, 2**40 + 12]}, "below zero": {"data_offsets": [-12, 0]},
    "fraction": {"data_offsets": [0.5, 12.5]}, "past u64": {"data_offsets": [0, 2**70]},
    "wrapping": {"data_offsets": [2**64 - 6, 2**64 - 1]}, "one": {"data_offsets": [0]},
    "text": {"data_offsets": "0,12"}, "none": {"data_offsets": None}, "dtype": {"dtype": "F33"},
    "dtype case": {"dtype": "f32"}, "dtype none": {"dtype": None}, "dtype F4": {"dtype": "F4"},
    "dtype F8": {"dtype": "F8_E4M3"}, "dtype C64": {"dtype": "C64"}, "dtype list": {"dtype": ["F32"]},
    "shape below zero": {"shape": [-3]}, "shape huge": {"shape": [2**62]},
    "shape overflow": {"shape": [2**32, 2**32]}, "shape text": {"shape": "3"}, "shape true": {"shape": [True]},
    "shape deep": {"shape": [[3]]}, "shape none": {"shape": None}, "shape scalar": {"shape": []},
    "shape fraction": {"shape": [3.0]}, "shape of ones": {"shape": [3] + [1] * 5000}, "more": {"extra": 1},
}.items():  # fmt: skip
    case(f"entry {what}", entry(change))
for what, header in {
    "list": b"[]", "null": b"null", "number": b"7", "text": b'"x"', "empty": b"", "object": b"{}", "blank": b"   ",
    "deep": b'{"a":' * 5000 + b"1" + b"}" * 5000, "deep list": b"[" * 100_000, "latin": b'{"\xff": 1}',
    "open": b'{"a', "NaN": b'{"a": NaN}', "digits": b'{"a": ' + b"9" * 5000 + b"}", "pickle": pickle.dumps({"a": 1}),
}.items():  # fmt: skip
    case(f"header {what}", lambda f, h=header: f.put_header(h))
for what, size in {
    "zero": 0, "2^31": 2**31, "2^63": 2**63, "2^64-1": 2**64 - 1, "100 MB": 100_000_001, "16 MB": 1 << 24,
}.items():  # fmt: skip
    case(f"header length {what}", lambda f, n=size: f.put(n.to_bytes(8, "little") + f.weights[8:]))
for step in (-1, 1, 8, 4096):
    case(
        f"header length {step:+d}",
        lambda f, n=step: f.put((f.header_end - 8 + n).to_bytes(8, "little") + f.weights[8:]),
    )
case(
    "name twice",
    lambda f: f.put_header(b'{"__metadata__": {}, "__metadata__": {},' + json.dumps(f.header).encode()[1:]),
)
case(
    "tensor twice",
    lambda f: f.put_header(json.dumps(f.header).encode()[:-1] + b"," + json.dumps(f.header).encode()[1:]),
)
case("metadata of another type", lambda f: f.put_header({"__metadata__": {"a": [1]}} | f.header))
case("entry null", lambda f: f.put_header(f.header | {"network.head.bias": None}))


def shifted(header: dict[str, Any]) -> dict[str, Any]:
    return {name: e | {"data_offsets": [place + 8 for place in e["data_offsets"]]} for name, e in header.items()}


case("gap before the data", lambda f: f.put_header(shifted(f.header), data=bytes(8) + f.weights[f.header_end :]))
case(
    "two tensors on one place", lambda f: f.put_header(f.header | {"network.scale.mean": f.header["network.scale.std"]})
)
case("long name", lambda f: f.put_header(f.header | {"n" * 100_000: f.header["network.head.bias"]}))

# -- pickles ---------------------------------------------------------------------------------------


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.canary,))


def zipped(folder: Folder) -> bytes:
    torch.save({"network.head.bias": Bomb(folder.canary)}, folder.path / "x.bin")
    return (folder.path / "x.bin").read_bytes()


for protocol in range(6):
    case(f"pickle {protocol} as weights", lambda f, p=protocol: f.put(pickle.dumps(Bomb(f.canary), protocol=p)))
case("torch archive as weights", lambda f: f.put(zipped(f)))
case("pickle as the header", lambda f: f.put_header(pickle.dumps(Bomb(f.canary))))
case("pickle as config", lambda f: f.config_path.write_bytes(pickle.dumps(Bomb(f.canary))))
case("pickle beside missing weights", lambda f: (zipped(f), f.weights_path.rename(f.path / "pytorch_model.bin")))
case("weights that are HTML", lambda f: f.put(b"<html>not found</html>"))
case(
    "weights that are a git-lfs pointer",
    lambda f: f.put(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n"),
)

# -- config.json -----------------------------------------------------------------------------------

for what, data in {
    "empty": b"", "list": b"[]", "null": b"null", "number": b"3", "text": b'"config"', "object": b"{}",
    "NaN": b"NaN", "UTF-16": "{}".encode("utf-16"), "latin": b'{"library": "\xe9"}', "deep lists": b"[" * 200_000,
    "NUL": b"\0" * 100, "deep objects": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "long number": b'{"format": ' + b"1" * 5000 + b"}", "17 MB": b" " * (17 << 20),
    "surrogate": b'{"library": "\\ud800"}', "comment": b"// x\n{}", "YAML": b"library: calm-lm\n",
}.items():  # fmt: skip
    case(f"config {what}", lambda f, d=data: f.config_path.write_bytes(d))
case("config with a BOM", lambda f: f.change_config(lambda d: b"\xef\xbb\xbf" + d))
case("config twice", lambda f: f.change_config(lambda d: d * 2))
case("config with a name twice", lambda f: f.config_path.write_text('{"format": 1,' + f.config_path.read_text()[1:]))
for field in (
    "model",
    "sizes",
    "backbone",
    "backbone_weights",
    "labels",
    "positive",
    "readers",
    "weights_sha256",
    "provenance",
):
    case(f"config without {field}", lambda f, n=field: f.put_config({k: v for k, v in f.config.items() if k != n}))
    case(f"config with {field} true", lambda f, n=field: f.put_field(n, True))
    case(f"config with {field} null", lambda f, n=field: f.put_field(n, None))
LONG = "x" * 5000
for place, values in {
    "library": ["calm", 1], "format": [2, "1", True, 1.5], "surplus": [1], "model.surplus": [1],
    "model.width": ["16", 16.5, -16, 0, 10**30, 10**400, True, 24, 65_536, 2**62], "model.dropout": ["0.1",
    float("nan"), 1, -1], "model.gumbel_end": [0, 1e-40, float("inf")], "model.channels": ["none", 1, "../explicit"],
    "model.noise": ["yes", 1], "model.n_clusters": [10**9, 0], "model.n_dimensions": [0, 3, 10**9],
    "model.n_experts": [5, 1024, 10**9, 10**18], "model.expert_layers": [1, 64, 10**9], "model.expert_ff": [25,
    262_144, 10**12], "model.profile_tokens": [5, 1024, 10**12], "model.mlp_hidden": [65_536, 10**15],
    "model.reflection_rounds": [10**18], "model.stop_cosine": [2], "sizes.d_model": [31, 0, 1_048_576, 10**15],
    "sizes.n_labels": [2, 65_536, 10**12], "sizes.n_readers": [5, 65_536, -1], "sizes.d_sentence": [6, 10**9],
    "sizes.n_cultures": [1, 10**9], "positive": [3, -1, 1.5], "labels": [["a"], ["a", "a", "b"],
    ["a", "b", "\x1b[2J"], ["a", "b", ""], ["a", "b", 3], ["a", "b", ["c"]], "abc", {"a": 1}],
    "readers": [["AU", "GB", "SG", "\x00"], ["AU", "GB", "SG", "\u202eSU"], ["AU", "GB", "SG", "SG"],
    ["AU"] * 100_000, ["AU", "GB", "SG", "U\nS"], [1, 2, 3, 4], [None] * 4], "cultures": [["SG"], "SG"],
    "contrast": ["nobody", 1], "calibration.label_temperature": [0, -1, float("nan"), float("inf"), 1e-320, "1"],
    "calibration.coverage": [float("nan"), 7], "calibration.abstain_below": [2, float("nan")],
    "calibration.abstain_target": [float("nan"), "0.9"], "backbone.name": ["../../../etc", "/etc", "/dev/zero",
    "~root/x", "~nobody-is-here/x", "a\x00b", "a" * 5000, "\x1b[2J/x", "", ".", "no-such/model", "a/b/c", "C:\\x", 7,
    None, ["x"], "file:///etc", "https://example.org/x"], "backbone.device": ["meta", "cuda:99", "hpu",
    "privateuseone", "", "\x00", "cpu\x1b", LONG, 3], "backbone.dtype": ["float64", "int8", "os.system"],
    "backbone.read_layer": [5, 10**9, 0, "3"], "backbone.inject_layer": [5, 10**9], "backbone.max_length": [0, -1,
    10**400, "64"], "backbone.adapt_layers": [[1, 3], [0, 10**18], [3, 1], [1], "13"],
    "backbone.sentence": ["../../x", "embedded", 7], "backbone.lora_dropout": [1, float("nan")],
    "backbone.local_files_only": ["no"], "backbone_weights.fingerprint": ["", "0" * 64, "\x1b" * 64, "A" * 64, 7,
    LONG], "backbone_weights.name": [7], "sentence_weights": [{"name": "x", "fingerprint": "0" * 64}, 7],
    "provenance.rows": [-1, "12", 1.5], "provenance.licences": ["MIT", [1]], "weights_sha256": ["", "0" * 64, 7,
    LONG],
}.items():  # fmt: skip
    for number, value in enumerate(values):
        case(f"config {place} {number}", lambda f, p=place, v=value: f.put_field(p, v))
for place, values in {
    "backbone.lora_rank": [1, 4096, 10**9], "backbone.lora_alpha": [10**400, 0, "16"],
    "backbone.adapt_layers": [[0, 3], [1, 4], [1, 10_000], None], "backbone.lora_targets": [[], [""], ["q_proj"],
    ["lm_head"], ["../q_proj"], ["(.*)*$"], "q_proj", ["self_attn"]],
}.items():  # fmt: skip
    for number, value in enumerate(values):
        case(f"LoRA config {place} {number}", lambda f, p=place, v=value: f.put_field(p, v), "lora")

# -- the file system -------------------------------------------------------------------------------


def replaced(name: str, make: Callable[[Path], object]) -> Damage:
    def damage(folder: Folder) -> None:
        (folder.path / name).unlink()
        make(folder.path / name)

    return damage


for name in ("config.json", "model.safetensors"):
    for what, make in {
        "missing": lambda path: None, "a folder": lambda path: path.mkdir(),
        "a loop": lambda path: path.symlink_to(path.name), "a broken link": lambda path: path.symlink_to("nowhere"),
        "an endless device": lambda path: path.symlink_to("/dev/zero"), "a pipe": lambda path: os.mkfifo(path),
        "a process file": lambda path: path.symlink_to("/proc/self/mem"),
    }.items():  # fmt: skip
        case(f"{name} is {what}", replaced(name, make))
    case(f"{name} is unreadable", lambda f, n=name: (f.path / n).chmod(0))
case("folder is unreadable", lambda f: f.path.chmod(0))
case("folder is a file", lambda f: (shutil.rmtree(f.path), f.path.write_text("x")))
case("folder is a loop", lambda f: (shutil.rmtree(f.path), f.path.symlink_to(f.path.name)))
case("folder is empty", lambda f: [path.unlink() for path in f.path.iterdir()])
case("weights of a sparse terabyte", lambda f: os.truncate(f.weights_path, 1 << 40))
case("config of a sparse terabyte", lambda f: os.truncate(f.config_path, 1 << 40))


# -- the tests -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bases(calm, tmp_path_factory) -> dict[str, Path]:
    """One saved model with frozen and one with adapted layers; both load."""
    place = tmp_path_factory.mktemp("bases")
    for name, how in {"plain": {}, "lora": {"adapt_layers": (1, 3)}, "cites": {"evidence": True}}.items():
        calm(**how).save_pretrained(place / name)
        CalmModel.from_pretrained(place / name, local_files_only=True)
    return {path.name: path for path in place.iterdir()}


@pytest.fixture
def folder(bases, tmp_path, monkeypatch) -> Callable[[str], Folder]:
    """A fresh copy in an empty world: no hub, nothing in the working folder."""
    for name in ("cwd", "home", "hub"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.setenv("CALM_CACHE", str(tmp_path / "cache"))

    def copy(base: str) -> Folder:
        shutil.copytree(bases[base], tmp_path / "model")
        return Folder(tmp_path / "model", tmp_path / "canary")

    return copy


@contextmanager
def unprivileged(name: str, place: Path) -> Iterator[None]:
    """Root may read everything, so a case about permissions runs as nobody, who may pass through pytest's folders."""
    if "unreadable" not in name or os.geteuid() != 0:
        yield
        return
    parents = [place, *place.parents[:2]]
    modes = [path.stat().st_mode for path in parents]
    for path in parents:
        path.chmod(0o711)
    os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(0)
        for path, mode in zip(parents, modes, strict=True):
            path.chmod(mode)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", CASES)
def test_one_error_and_nothing_else(name, folder, tmp_path):
    base, damage = CASES[name]
    hostile = folder(base)
    damage(hostile)
    before = listing(tmp_path)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()
    with pytest.raises(CalmError) as error, unprivileged(name, tmp_path):
        CalmModel.from_pretrained(hostile.path, local_files_only=True)
    assert time.process_time() - began < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 500_000  # kB
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 1_500
    assert listing(tmp_path) == before


def listing(place: Path) -> set[str]:
    """Everything under a folder but the checksums that the backbone's fingerprint leaves in the cache."""
    found = {str(path.relative_to(place)) for path in place.rglob("*")}
    return {path for path in found if not path.startswith("cache")}


def test_there_are_many_cases():
    assert len(CASES) >= 200


def test_a_pickle_beside_a_good_model_is_never_opened(folder):
    good = folder("plain")
    (good.path / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb(good.canary)))
    assert CalmModel.from_pretrained(good.path, local_files_only=True).predict(["Yes"], [None])
    assert not good.canary.exists()


def test_the_bomb_would_have_gone_off(tmp_path):
    pickle.loads(pickle.dumps(Bomb(tmp_path / "canary")))
    assert (tmp_path / "canary").exists()
