"""`kill -9` anywhere in a run, then `--resume`: the same weights to the bit, the same log but for the clock."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable
from typing import Any

import pytest

from calm_lm.training.checkpoint import complete_checkpoints

SHORT = ["train.epochs=2", "train.checkpoint_every=2"]  # eight steps
LORA = ["backbone.adapt_layers=[1,3]", "backbone.lora_rank=2", "backbone.lora_dropout=0.1"]


@pytest.fixture(scope="module")
def straight(workshop) -> Callable[..., tuple[list[str], tuple[bytes, list[dict[str, Any]]]]]:
    """The points and the result of an undisturbed run, by overrides."""
    known: dict[str, Any] = {}

    def of(overrides: list[str]):
        name = f"straight-{len(overrides)}"
        if name not in known:
            workshop.run(f"warm-{name}", overrides=overrides)  # fills the state cache, so that points are comparable
            answer = workshop.run(name, overrides=overrides)
            assert answer["error"] is None
            known[name] = answer["points"], workshop.result(name)
        return known[name]

    return of


def kill_and_resume(workshop: Any, name: str, point: int, overrides: list[str]) -> dict[str, Any]:
    ended = workshop.run(name, kill=point, overrides=overrides)
    assert ended["signal"] == signal.SIGKILL
    again = workshop.run(name, resume=True, overrides=overrides)
    assert again["error"] is None
    return again


def kinds(points: list[str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for number, kind in enumerate(points):
        found.setdefault(kind, []).append(number)
    return found


def same(workshop: Any, name: str, expected: tuple[bytes, list[dict[str, Any]]]) -> None:
    weights, log = workshop.result(name)
    assert log == expected[1]
    assert weights == expected[0]


def test_two_straight_runs_are_the_same_bytes(workshop, straight):
    """In two processes; without this the other tests of this file could not pass for the right reason."""
    _, expected = straight(SHORT)
    same(workshop, f"warm-straight-{len(SHORT)}", expected)
    steps = [line["step"] for line in expected[1] if "loss" in line]
    assert steps == list(range(8))


@pytest.mark.parametrize(
    ("kind", "share"), [("tensors inside", 0.5), ("line inside", 0.6), ("rename before", 0.7), ("file after", 1.0)]
)
def test_a_killed_run_resumes_to_the_same_bytes(workshop, straight, kind, share):
    points, expected = straight(SHORT)
    places = kinds(points)[kind]
    point = places[int(share * (len(places) - 1))]
    name = f"kill-{point}"
    kill_and_resume(workshop, name, point, SHORT)
    same(workshop, name, expected)
    left = {path.name for path in (workshop.folder / name / "seed-0").iterdir()}
    assert left == {"model", "metrics.jsonl"}


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("overrides", "shares", "least"), [(SHORT, (0.1, 0.55, 1), 40), (SHORT + LORA, (0.55,), 15)], ids=["frozen", "lora"]
)
def test_a_run_killed_at_any_kind_of_point_resumes_to_the_same_bytes(workshop, straight, overrides, shares, least):
    """Points of every kind: before, inside and after each sort of write, rename, flush, removal and step."""
    points, expected = straight(overrides)
    chosen = sorted({places[int(share * (len(places) - 1))] for places in kinds(points).values() for share in shares})
    assert len(chosen) >= least
    for point in chosen:
        name = f"matrix-{len(overrides)}-{point}"
        kill_and_resume(workshop, name, point, overrides)
        same(workshop, name, expected)
        shutil.rmtree(workshop.folder / name)


@pytest.mark.slow
def test_a_run_killed_again_and_again_still_ends_the_same(workshop, straight):
    _, expected = straight(SHORT)
    kills = 0
    for point in range(45, 400, 3):
        if workshop.run("stubborn", overrides=SHORT, kill=point, resume=True)["signal"] is None:
            break
        kills += 1
    assert kills >= 3
    same(workshop, "stubborn", expected)


@pytest.fixture(scope="module")
def cited(workshop) -> list[str]:
    """Overrides of a run that cites records: about half of what is tipped, brought or opened, for each reader."""
    path = workshop.folder / "norms.jsonl"
    said = {"AU": "fine", "GB": "expected", "SG": "out of place", "US": "expected"}
    rows = [
        {"id": f"{reader}-{at}", "culture": reader, "situation": what, "norm": norm, "source": "invented"}
        for reader, norm in said.items() for at, what in enumerate(("tipping the waiter", "bringing a cake"))
    ]  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return [*SHORT, f"norms={path}", "train.reflect_from=0"]


@pytest.mark.parametrize(("kind", "share"), [("step", 0.4), ("tensors inside", 0.5), ("file after", 1.0)])
def test_a_killed_run_with_norms_draws_the_same_evidence_again(workshop, straight, cited, kind, share):
    """Which rows lend their evidence and which do without is drawn by seed and step, never by how often one began."""
    points, expected = straight(cited)
    places = kinds(points)[f"{kind} before" if kind == "step" else kind]
    point = places[int(share * (len(places) - 1))]
    name = f"cited-{point}"
    kill_and_resume(workshop, name, point, cited)
    same(workshop, name, expected)
    assert expected[0] != straight(SHORT)[1][0]


def test_a_finished_run_is_left_alone(workshop, straight):
    _, expected = straight(SHORT)
    name = f"straight-{len(SHORT)}"
    seed = workshop.folder / name / "seed-0"
    before = {path: path.stat().st_mtime_ns for path in seed.rglob("*") if path.is_file()}
    again = workshop.run(name, overrides=SHORT, resume=True)
    assert "step before" not in again["points"]
    assert {path: path.stat().st_mtime_ns for path in seed.rglob("*") if path.is_file()} == before
    same(workshop, name, expected)


def test_ctrl_c_keeps_the_step_and_says_how_to_go_on(workshop, straight):
    _, expected = straight(SHORT)
    ended = workshop.run("ctrl-c", overrides=SHORT, interrupt=4)
    assert ended["signal"] is None
    assert ended["error"].startswith("interrupted: stopped after step 5; --resume")
    newest = complete_checkpoints(workshop.folder / "ctrl-c" / "seed-0")[-1]
    assert newest.name == "checkpoint-00000005"
    again = workshop.run("ctrl-c", overrides=SHORT, resume=True)
    assert again["points"].count("step before") == 3
    same(workshop, "ctrl-c", expected)


def test_leftovers_do_not_confuse(workshop, straight):
    """Half-written folders, an incomplete checkpoint of a later step and a torn log are passed over."""
    points, expected = straight(SHORT)
    workshop.run("leftovers", overrides=SHORT, kill=kinds(points)["step before"][5])
    seed = workshop.folder / "leftovers" / "seed-0"
    newest = complete_checkpoints(seed)[-1]
    shutil.copytree(newest, seed / "checkpoint-00000007")
    with (seed / "checkpoint-00000007" / "tensors.safetensors").open("r+b") as stream:
        stream.seek(-1, 2)
        stream.write(b"\x7f")
    shutil.copytree(newest, seed / ".checkpoint-00000006.part")
    (seed / "checkpoint-00000009").mkdir()
    (seed / ".model.part").mkdir()
    (seed / ".model.part" / "model.safetensors").write_bytes(b"torn")
    with (seed / "metrics.jsonl").open("ab") as stream:
        stream.write(b'{"step": 4, "lo')
    assert complete_checkpoints(seed)[-1] == newest
    assert workshop.run("leftovers", overrides=SHORT, resume=True)["error"] is None
    same(workshop, "leftovers", expected)
    assert {path.name for path in seed.iterdir()} == {"model", "metrics.jsonl"}


@pytest.mark.parametrize("kind", ["tensors inside", "rename before", "fsync after"])
def test_a_kill_while_texts_are_read_loses_nothing(workshop, straight, kind):
    """The first run on an empty cache; the points before the first step are those of encoding."""
    points, expected = straight(SHORT)
    cache = str(workshop.folder / f"cache-{kind}")
    first = workshop.run(f"probe-{kind}", overrides=SHORT, cache=cache)
    encoding = first["points"][: first["points"].index("step before")]
    assert len(encoding) > len(points[: points.index("step before")])
    shutil.rmtree(cache)
    name = f"reading-{kind}"
    assert workshop.run(name, overrides=SHORT, cache=cache, kill=kinds(encoding)[kind][-1])["signal"] == signal.SIGKILL
    assert workshop.run(name, overrides=SHORT, cache=cache, resume=True)["error"] is None
    same(workshop, name, expected)
