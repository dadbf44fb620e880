"""Survey tasks as a folder that lm-evaluation-harness runs unchanged: `lm_eval --include_path DIR --tasks NAME`."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from calm_lm.evaluation.asking.conditions import Condition
from calm_lm.evaluation.export.rows import export_rows
from calm_lm.evaluation.tasks.plan import Plan
from calm_lm.files import write_text

SCORES = "calm_scores.py"


def write_lm_eval(folder: Path, plans: Sequence[Plan], *, chat: bool) -> list[str]:
    """One task for each survey task and condition; returns their names.

    Args:
        folder: made if need be.
        plans: the tasks with their sizes, seeds and conditions.
        chat: for models that are asked through their chat template (`--apply_chat_template`); else the prompt ends in
            `Answer:` and answers begin with a space.
    """
    import yaml

    write_text(folder / SCORES, _template(SCORES))
    names = []
    for plan in plans:
        for condition in plan.conditions:
            name = task_name(plan, condition)
            rows = [
                row | {"prompt": row["prompt"] if chat else f"{row['prompt']}\nAnswer:"}
                for row in export_rows(plan, condition)
            ]
            data = folder.resolve() / "data" / f"{name}.jsonl"
            write_text(data, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
            declared = {
                "task": name,
                "dataset_path": "json",
                "dataset_kwargs": {"data_files": {"test": str(data)}},
                "test_split": "test",
                "output_type": "multiple_choice",
                "doc_to_text": "prompt",
                "doc_to_choice": "answers",
                "doc_to_target": "target",
                "target_delimiter": "" if chat else " ",
                "process_results": "FUNCTION process_results",
                "metric_list": [
                    {"metric": metric, "aggregation": f"FUNCTION {metric}", "higher_is_better": False}
                    for metric in ("jensen_shannon", "wasserstein")
                ],
                "metadata": {
                    "version": 1.0, "licence": plan.task.licence, "citation": plan.task.citation,
                    "condition": condition.name, "card": plan.task.card.model_dump(),
                },
            }  # fmt: skip
            text = yaml.safe_dump(declared, sort_keys=False, allow_unicode=True, width=120)
            module = SCORES.removesuffix(".py")
            write_text(folder / f"{name}.yaml", re.sub(r"FUNCTION (\w+)", rf"!function {module}.\1", text))
            names.append(name)
    write_text(folder / "README.md", _readme(names, chat=chat))
    return names


def task_name(plan: Plan, condition: Condition) -> str:
    """Name of an exported task: `calm_menavalues_persona_country`."""
    return "calm_" + re.sub(r"\W+", "_", f"{plan.task.name}_{condition.name}")


def _template(name: str) -> str:
    return (resources.files("calm_lm.evaluation.export") / "templates" / name).read_text("utf-8")


def _readme(names: Sequence[str], *, chat: bool) -> str:
    flag = " --apply_chat_template" if chat else ""
    return (
        "# Survey tasks for lm-evaluation-harness\n\nWritten by calm-lm. The data keep their licences, which stand in "
        f"each task's metadata.\n\n```\nlm_eval --model hf --model_args pretrained=MODEL --include_path .{flag} "
        f"--tasks {','.join(names)}\n```\n\n`jensen_shannon` and `wasserstein` are distances to what people answered: "
        "lower is better. They are the mean over places of the mean over items, without intervals.\n"
    )
