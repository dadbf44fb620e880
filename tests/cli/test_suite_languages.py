"""`--language-model`: a local English model and a real endpoint that answers in the languages it was named for."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import pytest
from chat_server import ChatServer

SUITE = ("replicates=100", "--suite", "toy", "--tasks", "toy-survey")
WORDS = (*SUITE, "--items", "4", "--samples", "2", "--conditions", "neutral,neutral@es,persona+country@es")
SPANISH = "Responde solo"


def first_option(prompt: str, seed: int) -> str:
    """The option listed first, in a Spanish sentence where that is asked for; every second such draw declines."""
    listed = [line.split(".")[0] for line in prompt.splitlines() if line[:2] in ("A.", "1.")]
    label = listed[0] if listed else "1"
    if SPANISH not in prompt:
        return label
    return "Lo siento, no puedo elegir." if seed % 2 else f"La respuesta es {label}."


@pytest.fixture
def server():
    with ChatServer(first_option) as running:
        yield running


@pytest.fixture(scope="module")
def english(world: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model whose card says that it reads English."""
    folder = world.save_lm(tmp_path_factory.mktemp("english"))
    for name, field in (("config.json", "max_position_embeddings"), ("tokenizer_config.json", "model_max_length")):
        told = json.loads((folder / name).read_text()) | {field: 2048}  # room for bytes of a survey question
        (folder / name).write_text(json.dumps(told))
    (folder / "README.md").write_text("---\nlanguage: en\nlicense: apache-2.0\n---\nInvented.\n")
    return folder


def read(folder: Path) -> dict:
    return json.loads((folder / "report.json").read_text())


def prompts(server: ChatServer) -> list[str]:
    return [json.loads(body)["messages"][-1]["content"] for body in server.asked]


def test_spanish_goes_to_the_endpoint_and_english_stays_with_the_model(calm, english, server, tmp_path, capsys):
    out = tmp_path / "r"
    assert calm("evaluate", english, *WORDS, "--out", out, "--language-model", f"es={server.name}") == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert server.asked
    assert all(SPANISH in prompt for prompt in prompts(server))
    report = read(out)
    assert report["unsupported_languages"] == []
    assert report["subject"]["languages"] == ["en"]
    assert report["language_models"]["es"]["answers"] == "samples"
    assert report["language_models"]["es"]["fingerprint"] != report["subject"]["fingerprint"]
    task = report["tasks"]["toy-survey"]
    systems = task["systems"]
    assert "answered_by" not in systems["neutral"]
    assert systems["neutral@es"]["answered_by"] == {"es": "planted (endpoint)"}
    assert systems["neutral@es"]["title"] == "neutral, es (es answered by planted (endpoint))"
    # half of its Spanish draws decline in Spanish, the others name an option in Spanish
    assert systems["neutral@es"]["figures"]["refused"]["value"] == pytest.approx(0.5)
    assert systems["neutral@es"]["figures"]["no_answer"]["value"] == pytest.approx(0.5)
    # two models have no consistency of one, and what the second says in two framings is its own
    assert not any("clcs" in system["figures"] for system in systems.values())
    assert "fcs" not in systems["neutral"]["figures"]
    assert "fcs" in systems["neutral@es"]["figures"]
    remark = "Consistency over languages is not computed between"
    assert any(note.startswith(remark) for note in task["asked"]["notes"])
    page = (out / "report.html").read_text()
    for said in ("answered by other models", "es answered by planted (endpoint)", remark):
        assert said in page
    assert "Answered by planted (endpoint)" in shown
    assert "not by the model under test: es" in shown
    # the verdict is about the model under test alone
    assert "best condition neutral," in page


def test_a_routed_run_that_goes_on_asks_nothing_twice(calm, english, server, tmp_path):
    out = tmp_path / "r"
    words = ("evaluate", english, *WORDS, "--language-model", f"es,fr={server.name}", "--out", out)
    assert calm(*words) == 0
    asked, first = dict(server.asked), read(out)
    assert calm(*words, "--resume") == 0
    assert dict(server.asked) == asked
    second = read(out)
    assert second["tasks"]["toy-survey"]["systems"] == first["tasks"]["toy-survey"]["systems"]
    bill = second["cost"]["tasks"]["toy-survey"]
    assert bill["questions"] == bill["from_cache"] > 0


def test_one_model_in_two_languages_keeps_its_consistency_over_them(calm, english, server, tmp_path):
    words = (*SUITE, "--items", "8", "--samples", "1", "--conditions", "neutral,neutral@es,neutral@fr")
    out = tmp_path / "r"
    assert calm("evaluate", english, *words, "--out", out, "--language-model", f"es,fr={server.name}") == 0
    systems = read(out)["tasks"]["toy-survey"]["systems"]
    assert systems["neutral@es"]["figures"]["clcs"]["value"] == pytest.approx(1)  # the first option in both
    assert "clcs" not in systems["neutral"]["figures"]


def test_a_route_to_a_model_that_does_not_claim_the_language_is_refused_unless_told(
    calm, english, server, tmp_path, capsys
):
    words = (*SUITE, "--items", "2", "--samples", "1", "--conditions", "neutral,neutral@es")
    route = ("--language-model", f"es={english}")
    assert calm("evaluate", server.name, *words, *route, "--out", tmp_path / "a") == 2
    error = capsys.readouterr().err
    assert "[E35]" in error
    assert "reads en" in error
    assert not server.asked
    allowed = (*words, *route, "--out", tmp_path / "b", "--allow-unsupported-language")
    assert calm("evaluate", server.name, *allowed) == 0
    assert read(tmp_path / "b")["unsupported_languages"] == ["es"]
    assert "does not claim: es" in " ".join(capsys.readouterr().out.split())
    assert "does not claim to read es" in (tmp_path / "b" / "report.html").read_text()


@pytest.mark.parametrize(("route", "code"), [("es", "E70"), ("xyz=embedded", "E71"), ("es,es=embedded", "E72"),
                                             ("es=nothing-there", "E46")])  # fmt: skip
def test_a_wrong_route_ends_before_anything_is_asked(calm, server, tmp_path, capsys, route, code):
    words = (*SUITE, "--out", tmp_path / "r", "--language-model", route)
    assert calm("evaluate", server.name, *words) == 2
    error = capsys.readouterr().err
    assert f"[{code}]" in error
    assert error.count("\n") == 1
    assert not server.asked


def test_reports_and_stop_rules_say_who_answered(calm, server, tmp_path):
    rules = tmp_path / "rules.yaml"
    rules.write_text("- {task: toy-survey, system: neutral@es, figure: refused, at_most: 0.9}\n")
    words = (*SUITE, "--items", "4", "--samples", "2", "--conditions", "neutral,neutral@es")
    assert calm("evaluate", server.name, *words, "--out", tmp_path / "a") == 0
    with ChatServer(first_option) as other:
        route = ("--language-model", f"es={other.name}", "--stop-rule", rules, "--against", tmp_path / "a")
        assert calm("evaluate", server.name, *words, "--out", tmp_path / "b", *route) == 0
    report = read(tmp_path / "b")
    assert "es answered by planted (endpoint)" in report["stop_rule"]["verdicts"][0]["reason"]
    compared = report["against"]["tasks"]["toy-survey"]["conditions"]
    assert "answered_by" not in compared["neutral"]
    assert compared["neutral@es"]["answered_by"] == {"first": {"es": "planted (endpoint)"}, "second": None}
    assert "answered by planted" in compared["neutral@es"]["title"]
    # one model in both languages has its consistency; two endpoints, though of one name, have none
    systems = [read(tmp_path / name)["tasks"]["toy-survey"]["systems"]["neutral"] for name in "ab"]
    assert ["clcs" in each["figures"] for each in systems] == [True, False]
