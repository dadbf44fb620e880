"""The documents name files, settings and commands that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

import calm_lm
from calm_lm.cli.config import list_settings
from calm_lm.cli.main import COMMANDS
from calm_lm.training.presets import build_config

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "calm_lm"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
QUESTIONS = (ROOT / "docs" / "open-questions.md").read_text("utf-8")


def table_rows() -> list[list[str]]:
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in QUESTIONS.splitlines()
        if re.match(r"\|\s*\d+\s*\|", line)
    ]


def settings() -> set[str]:
    return {
        f"{each.group}.{each.name}".removeprefix("run.") for each in list_settings(build_config({"preset": "paper"}))
    }


def test_all_25_questions_stand_once():
    assert [row[0] for row in table_rows()] == [str(number) for number in range(1, 26)]
    assert all(len(row) == 4 and all(row) for row in table_rows())


@pytest.mark.parametrize("row", table_rows(), ids=lambda row: row[0])
def test_what_holds_a_choice_exists(row):
    holders = re.findall(r"`([^`]+)`", row[3])
    assert holders
    for holder in holders:
        assert (SOURCE / holder).is_file() if holder.endswith(".py") else holder in settings(), holder


def test_every_choice_of_ours_in_the_network_is_an_open_question_or_stated_below_the_table():
    """A setting of the model whose origin is ours and that no question names would be a silent choice."""
    silent = {"reader_dropout", "view_dropout", "expert_dropout"}  # regularisation of what the paper does not speak of
    ours = {
        each.name
        for each in list_settings(build_config({"preset": "paper"}))
        if each.group == "model" and each.origin == "ours"
    }
    assert {name for name in ours - silent if f"`model.{name}`" not in QUESTIONS} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if not re.match(r"https?:|mailto:|#", target):
            assert (page.parent / target.partition("#")[0]).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_and_targets_named_in_documents_exist(page):
    text = page.read_text("utf-8")
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    assert set(re.findall(r"`make ([a-z-]+)`", text)) <= targets
    named = set(re.findall(r"^\$? ?calm ([a-z]+)", text, flags=re.MULTILINE)) | set(re.findall(r"`calm ([a-z]+)", text))
    assert named <= set(COMMANDS)


def test_the_citation_names_the_software_and_the_paper():
    facts = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert facts["cff-version"] == "1.2.0"
    assert facts["license"] == "Apache-2.0"
    assert facts["version"] == calm_lm.__version__
    paper = facts["references"][0]
    assert [author["family-names"] for author in paper["authors"]] == [
        "Shen",
        "Cai",
        "Long",
        "Razzak",
        "Chen",
        "Jameel",
    ]
    assert {"type": "other", "value": "arXiv:2601.03483"}.items() <= paper["identifiers"][0].items()
