"""Survey tasks as a folder that Inspect runs unchanged: `inspect eval DIR/calm_tasks.py`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from calm_lm.evaluation.export.lm_eval import task_name
from calm_lm.evaluation.export.rows import export_rows
from calm_lm.evaluation.tasks.plan import Plan
from calm_lm.files import write_text

FUNCTION = '''

@task
def {name}() -> Task:
    """{title}; {licence}."""
    return _task("{name}")
'''


def write_inspect(folder: Path, plans: Sequence[Plan]) -> list[str]:
    """One task for each survey task and condition; returns their names.

    Args:
        folder: made if need be.
        plans: the tasks with their sizes, seeds and conditions.
    """
    templates = resources.files("calm_lm.evaluation.export") / "templates"
    tasks = (templates / "calm_tasks.py").read_text("utf-8")
    names = []
    for plan in plans:
        for condition in plan.conditions:
            name = task_name(plan, condition)
            rows = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in export_rows(plan, condition))
            write_text(folder / "data" / f"{name}.jsonl", rows)
            title = f"{plan.task.title}, {condition.title}".replace('"', "'")
            tasks += FUNCTION.format(name=name, title=title, licence=plan.task.licence)
            names.append(name)
    write_text(folder / "calm_tasks.py", tasks)
    write_text(folder / "calm_scores.py", (templates / "calm_scores.py").read_text("utf-8"))
    # the parser imports nothing of this package, so that both read replies with the same lines
    asking = resources.files("calm_lm.evaluation.asking")
    write_text(folder / "calm_parse.py", (asking / "parse.py").read_text("utf-8"))
    write_text(folder / "replies.json", (asking / "replies.json").read_text("utf-8"))
    commands = "\n".join(f"inspect eval calm_tasks.py@{name} --model MODEL" for name in names)
    write_text(
        folder / "README.md",
        "# Survey tasks for Inspect\n\nWritten by calm-lm. The data keep their licences (see each task).\n\n"
        f"```\n{commands}\n```\n\nDistances to people are lower where better; `no_answer` is the share of replies that "
        "name no option.\n",
    )
    return names
