"""The bill: tokens as servers state them, never twice, never 0 for what nobody stated, and the table of it."""

from __future__ import annotations

import pytest
from chat_server import ChatServer
from fault_server import FaultServer
from hypothesis import given
from hypothesis import strategies as st
from quick_endpoint import ask, endpoint
from scripted import Scripted, silent, uniform

from calm_lm.evaluation.asking.asker import AT_ONCE, Asker
from calm_lm.evaluation.asking.cost import Cost, Speaker, Spent
from calm_lm.evaluation.asking.open_subject import OpenOptions, open_subject
from calm_lm.evaluation.asking.question import Choice, Open, Prompt
from calm_lm.evaluation.asking.subject import LocalSubject
from calm_lm.evaluation.pages.report_cost import Tokens, cost_rows
from calm_lm.lm.answer_cache import AnswerCache
from calm_lm.lm.usage import Usage


def questions(n: int) -> list[Choice]:
    return [Choice(f"q{i}", Prompt(f"Question {i}?"), ("no", "yes"), ("A", "B"), (0, 1)) for i in range(n)]


def always(prompt: str, seed: int) -> str:
    return "A"


def asked(server: ChatServer, cache: AnswerCache, n: int, samples: int = 2, title: str = "x") -> Cost:
    subject = open_subject(server.name, OpenOptions(samples=samples, retries=0), cache, silent)
    asker = Asker(subject, cache, silent)
    asker.choose(questions(n), title)
    return asker.cost


# -- what an endpoint states ---------------------------------------------------------------------------------


def test_tokens_are_those_that_the_server_states_and_kept_answers_cost_nothing_again(tmp_path):
    with ChatServer(always) as server, AnswerCache(tmp_path / "answers.sqlite") as cache:
        first = asked(server, cache, 3).since(Cost())
        assert [(each["read"], each["written"], each["replies_not_stated"]) for each in first["tokens"]] == [
            (54, 12, 0)
        ]
        again = asked(server, cache, 5).since(Cost())  # two new ones; the bill holds what came before
        assert [(each["read"], each["written"]) for each in again["tokens"]] == [(90, 20)]
        assert (again["questions"], again["from_cache"]) == (5, 3)
        assert sum(server.asked.values()) == 10
        other = asked(server, cache, 5, title="another list").since(Cost())
        assert (other["from_cache"], other["tokens"]) == (5, [])  # these answers stand on the first bill


def test_a_server_that_states_nothing_is_not_said_to_have_cost_nothing(tmp_path):
    with ChatServer(always, usage=None) as server, AnswerCache(tmp_path / "answers.sqlite") as cache:
        (told,) = asked(server, cache, 3).since(Cost())["tokens"]
    assert (told["read"], told["written"], told["replies_not_stated"]) == (None, None, 6)
    assert told["title"] == "planted (endpoint)"


def test_half_a_statement_is_told_as_far_as_it_goes(tmp_path):
    with ChatServer(always, usage={"prompt_tokens": 9}) as server, AnswerCache(tmp_path / "answers.sqlite") as cache:
        (told,) = asked(server, cache, 3).since(Cost())["tokens"]
    assert (told["read"], told["written"], told["replies_not_stated"]) == (54, None, 6)


@pytest.mark.parametrize(
    ("script", "usage"),
    [
        ("plain", Usage(7, 3)), ("again|garbage,500", Usage(7, 3)), ("odd|usage", Usage(0, 0, 1)),
        ("silent|prompt-filter", Usage(0, 0, 1)), ("down|500,500,500,500", Usage(0, 0, 1)),
    ],
)  # fmt: skip
def test_usage_of_a_server_that_misbehaves(script, usage):
    with FaultServer() as server:
        client = endpoint(server)
        client.chat(ask(script))
        assert client.usage == usage
        client.chat(ask("plain 2"))
        assert client.usage == usage + Usage(7, 3)


def test_a_piece_that_ends_in_an_error_is_billed(tmp_path):
    class Breaking(Scripted):
        def choose(self, asked):
            found = super().choose(asked)
            self.usage += Usage(100, 10)
            if len(self.asked) > AT_ONCE:
                raise KeyboardInterrupt
            return found

    with AnswerCache(tmp_path / "answers.sqlite") as cache:
        with pytest.raises(KeyboardInterrupt):
            Asker(Breaking(uniform), cache, silent).choose(questions(AT_ONCE + 5), "x")
        again = Asker(Scripted(uniform), cache, silent)
        again.choose(questions(AT_ONCE + 5), "x")
    assert list(again.cost.tokens.values()) == [Usage(200, 20)]


def test_a_bill_from_before_tokens_were_counted_states_none():
    assert Spent.of({"seconds": 2.5}, 7) == Spent(2.5, Usage(unstated=7))
    for broken in (None, 1, "x", [], {}, {"seconds": "x"}, {"seconds": 1, "read": "x"}, {"seconds": 10**400}):
        assert Spent.of(broken, 7) == Spent()
    kept = Spent(1.5, Usage(3, 4, 5))
    assert Spent.of(kept.value(), 7) == kept


def test_questions_to_which_nothing_came_are_counted(tmp_path):
    with (
        ChatServer(lambda prompt, seed: 500 if "Question 1?" in prompt else "A") as server,
        AnswerCache(tmp_path / "answers.sqlite") as cache,
    ):
        cost = asked(server, cache, 3)
    assert (cost.questions, cost.undelivered) == (3, 1)


# -- a model in this process ---------------------------------------------------------------------------------


@pytest.mark.lm
def test_a_local_model_is_billed_for_what_it_reads_and_writes(embedded_lm):
    subject = LocalSubject(embedded_lm)
    count = lambda text: len(embedded_lm.tokenizer(text)["input_ids"])  # noqa: E731
    start = subject.usage
    scored = embedded_lm.score_options(["The tea is"], [[" hot", " very cold"]])
    assert subject.usage - start == Usage(count("The tea is") + int(scored[0].tokens.sum()))
    assert int(scored[0].tokens.sum()) == 3
    start = subject.usage
    found = subject.likelihood(["A cup of tea."])
    assert (subject.usage - start).read == count("A cup of tea.") == found[0].tokens + 1
    start = subject.usage
    subject.write([Open("o", Prompt("Write."), max_tokens=5)])
    assert (subject.usage - start).written == 5
    start = subject.usage
    subject.embed(["one two", "three"])
    assert subject.usage - start == Usage(count("one two") + count("three"))


# -- the table -----------------------------------------------------------------------------------------------


def bill(read=10, written=2, unstated=0, who="a", **more):
    tokens = [{"title": f"model {who}", "fingerprint": who, "read": read, "written": written,
               "replies_not_stated": unstated}]  # fmt: skip
    return {"questions": 5, "from_cache": 2, "seconds": 3.0, "tokens": tokens, **more}


def test_the_table_has_tasks_judges_the_whole_and_each_model():
    report = {"cost": {"seconds": 9, "tasks": {"one": bill(), "two": bill(judge=bill(None, None, 4, who="b"))}}}
    rows = cost_rows(report, {"one": "First"})
    assert [row.name for row in rows] == [
        "First", "two", "two: the judge", "the whole run", "by model a", "by model b",
    ]  # fmt: skip
    cells = [row.cells for row in rows]
    assert cells[0] == ("5", "2", "3.0\xa0s", "10", "2")
    assert cells[2][3:] == ("not stated", "not stated")
    assert cells[3] == ("15", "6", "9.0\xa0s", "at least 20", "at least 4")
    assert cells[4] == ("–", "–", "–", "20", "4")
    assert cells[5] == ("–", "–", "–", "not stated", "not stated")
    assert [row.whole for row in rows] == [False, False, False, True, False, False]


def test_two_models_of_one_name_are_told_apart():
    tokens = [{**bill(who=who)["tokens"][0], "title": "same"} for who in ("a" * 64, "b" * 64)]
    rows = cost_rows({"cost": {"tasks": {"one": bill() | {"tokens": tokens}}}}, {})
    assert [row.name for row in rows[2:]] == ["by same aaaaaaaa", "by same bbbbbbbb"]


def test_one_model_needs_no_lines_of_its_own_and_an_old_report_states_nothing():
    assert [row.name for row in cost_rows({"cost": {"tasks": {"one": bill()}}}, {})] == ["one", "the whole run"]
    old = {"cost": {"tasks": {"one": {"questions": 5, "from_cache": 5, "seconds": 1.0}}}}
    assert cost_rows(old, {})[0].cells[3:] == ("not stated", "not stated")
    kept = {"cost": {"tasks": {"one": bill() | {"tokens": []}}}}
    assert cost_rows(kept, {})[0].cells[3:] == ("0", "0")


usages = st.lists(st.builds(Usage, *[st.integers(0, 10**6)] * 2, st.integers(0, 3)), max_size=6)


@given(usages)
def test_bills_add_up_however_they_are_split(parts):
    whole = Cost()
    for part in parts:
        whole.add(Speaker("m", "f"), Spent(1.0, part))
    assert whole.since(Cost())["seconds"] == len(parts)
    told = sum(parts, Usage())
    assert whole.tokens.get(Speaker("m", "f"), Usage()) == told
    sums = Tokens()
    for part in parts:
        numbers = part.told()
        sums = sums.plus(Tokens(numbers["read"], numbers["written"], part.unstated))
    assert sums == Tokens(told.told()["read"], told.told()["written"], told.unstated)
