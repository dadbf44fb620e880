from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from calm_lm import __version__
from calm_lm.cli import main as cli
from calm_lm.cli.main import COMMANDS, THREAD_VARIABLES, load_command, main
from calm_lm.errors import CalmError

CALM = str(Path(sys.executable).parent / "calm")


def run(*words: str) -> int:
    """The exit code of a command line, run in this process."""
    with pytest.raises(SystemExit) as left:
        main(words)
    return left.value.code or 0


@pytest.fixture
def command(monkeypatch):
    """Put a function in the place of `calm demo`."""
    module = type(sys)("calm_lm.cli.stand_in")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(COMMANDS, "demo", cli.Place("stand_in", "demo", "A stand-in."))
    return lambda function: setattr(module, "demo", function)


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """What the general options set goes again after the test."""
    for name in ("CALM_OFFLINE", "HF_HUB_OFFLINE", *THREAD_VARIABLES):
        monkeypatch.setenv(name, "")


# -- starting --------------------------------------------------------------------------------------------


def test_help_names_every_command(capsys):
    assert run("--help") == 0
    shown = capsys.readouterr().out
    assert [name for name, place in COMMANDS.items() if f" {name} " not in shown or place.help not in shown] == []


def test_help_and_a_plain_command_import_nothing_heavy():
    code = (
        "import sys\nfrom calm_lm.cli.main import main\n"
        "try: main(sys.argv[1:])\nexcept SystemExit: pass\n"
        "heavy = 'torch transformers sklearn scipy pandas pyarrow'.split()\n"
        "print([name for name in heavy if name in sys.modules], file=sys.stderr)"
    )
    for words in (["--help"], ["config", "show", "paper"], ["data", "list"]):
        done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
        assert done.stderr.strip() == "[]", words


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_loads_and_has_help(name, capsys):
    assert run(name, "--help") == 0
    shown = capsys.readouterr().out
    assert f"Usage: calm {name}" in shown
    assert "--install-completion" not in shown


def test_a_command_has_the_lines_of_its_table():
    assert [name for name, place in COMMANDS.items() if not place.help.endswith(".") or len(place.help) > 64] == []


def test_the_version_is_printed(capsys):
    assert run("--version") == 0
    assert capsys.readouterr().out == f"calm-lm {__version__}\n"


def test_as_a_module():
    done = subprocess.run([sys.executable, "-m", "calm_lm", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"calm-lm {__version__}\n"


# -- leaving ---------------------------------------------------------------------------------------------


def test_done_is_0(command, capsys):
    command(lambda: typer.echo("shown"))
    assert run("demo") == 0
    assert capsys.readouterr().out == "shown\n"


@pytest.mark.parametrize("words", [["dmeo"], ["config", "show", "--nope"], ["--threads", "0", "env"], ["data", "show"]])
def test_a_usage_error_is_2(words, capsys):
    assert run(*words) == 2
    assert "Usage: calm" in capsys.readouterr().err


def test_a_mistyped_command_is_named_with_the_nearest(capsys):
    run("evalaute")
    assert "evaluate" in capsys.readouterr().err


def test_a_path_that_cannot_be_looked_at_is_the_users_and_2(command, capsys):
    command(lambda: Path("x" * 300).is_file())
    assert run("demo") == 2
    error = capsys.readouterr().err
    assert "[F01]" in error
    assert error.count("\n") == 1


def test_what_a_terminal_cannot_show_is_escaped():
    code = (
        "import sys, typer; from calm_lm.cli import main as cli\n"
        "stand_in = typer.Typer(); stand_in.command()(lambda: print('a\\udcff \\u2501'))\n"
        "cli.load_command = lambda _: typer.main.get_command(stand_in); cli.main(['demo'])"
    )
    for encoding in ("utf-8:strict", "ascii:strict"):
        environment = os.environ | {"PYTHONIOENCODING": encoding}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, b"")
        assert b"\\udcff" in done.stdout


def test_a_users_mistake_is_one_line_and_2(command, capsys):
    def fail() -> None:
        raise CalmError("Z99", "is [bold]wrong[/bold]\nin two lines \x1b[31m.", file="own.csv", row=3, fix="mend it.")

    command(fail)
    assert run("demo") == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert shown.err == "calm: [Z99] own.csv, row 3: is [bold]wrong[/bold] in two lines  [31m. Fix: mend it.\n"


def test_our_own_fault_is_1_with_the_trace_and_what_to_send(command, capsys):
    def fail() -> None:
        raise ZeroDivisionError("no number")

    command(fail)
    assert run("demo") == 1
    shown = capsys.readouterr().err
    assert "Traceback" in shown
    assert "ZeroDivisionError: no number" in shown
    assert "our fault" in shown.splitlines()[-1]
    assert "calm env" in shown.splitlines()[-1]


def test_a_commands_own_exit_code_passes(command):
    def leave() -> None:
        raise typer.Exit(2)

    command(leave)
    assert run("demo") == 2


def test_an_interrupt_is_130_and_says_how_to_go_on_where_one_can(command, capsys):
    def stop(resume: bool = False) -> None:
        raise KeyboardInterrupt

    command(stop)
    assert run("demo") == 130
    assert capsys.readouterr().err == "calm: interrupted; add --resume to go on\n"

    def stop_for_good() -> None:
        raise KeyboardInterrupt

    command(stop_for_good)
    assert run("demo") == 130
    assert capsys.readouterr().err == "calm: interrupted\n"


def test_training_can_be_resumed():
    assert "resume" in {parameter.name for parameter in load_command("train").params}


@pytest.mark.parametrize("words", [["config", "show", "paper"], ["data", "list"], ["config", "show", "--yaml"]])
def test_a_reader_that_goes_away_is_no_story(words):
    with subprocess.Popen([CALM, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()  # before anything is written
        said = process.stderr.read()
        process.wait(timeout=60)
    assert said == b""


# -- general options -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["train", "x", "--offline"], ["--offline", "train", "x"]),
        (["train", "--threads", "2", "x"], ["--threads", "2", "train", "x"]),
        (["train", "x", "--threads=2"], ["--threads=2", "train", "x"]),
        (["train", "x", "--threads"], ["--threads", "train", "x"]),
        (["predict", "run", "--", "--offline"], ["predict", "run", "--", "--offline"]),
        ([], []),
    ],
)
def test_general_options_may_stand_anywhere_before_a_double_dash(words, expected):
    assert cli._general_options_first(words) == expected


@pytest.mark.parametrize("words", [["--offline", "demo"], ["demo", "--offline"]])
def test_offline_reaches_the_hub_and_the_rooms(words, command):
    seen = {}
    command(lambda: seen.update(os.environ))
    assert run(*words) == 0
    assert (seen["CALM_OFFLINE"], seen["HF_HUB_OFFLINE"]) == ("1", "1")


def test_offline_by_the_environment_reaches_the_hub(command, monkeypatch):
    monkeypatch.setenv("CALM_OFFLINE", "1")
    command(lambda: None)
    run("demo")
    assert os.environ["HF_HUB_OFFLINE"] == "1"


def test_without_the_option_the_network_is_free(command):
    seen = {}
    command(lambda: seen.update(os.environ))
    run("demo")
    assert (seen["CALM_OFFLINE"], seen["HF_HUB_OFFLINE"]) == ("", "")


def test_offline_is_heard_by_data_get(tmp_path, capsys):
    """`calm data get` asks the network itself, so it must hear the general option too."""
    assert run("data", "get", "crehate", "--data-dir", str(tmp_path), "--offline") == 2
    assert "offline" in capsys.readouterr().err


def test_threads_reach_torch():
    code = (
        "import sys\nfrom calm_lm.cli.main import main\n"
        "try: main(['--threads', '1', 'config', 'show', '--yaml'])\nexcept SystemExit: pass\n"
        "import torch\nprint(torch.get_num_threads(), file=sys.stderr)"
    )
    environment = {name: value for name, value in os.environ.items() if name not in THREAD_VARIABLES}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stderr.strip() == "1"
