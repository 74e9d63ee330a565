"""Workflows: one version of each action in all of them, and one that asks every week what the pins keep away."""

from collections import defaultdict

import yaml
from dependencies import ROOT

WORKFLOWS = {path.stem: yaml.safe_load(path.read_text()) for path in sorted((ROOT / ".github" / "workflows").glob("*.yml"))}


def steps(name: str) -> list[dict]:
    return [step for job in WORKFLOWS[name]["jobs"].values() for step in job["steps"]]


def test_an_action_and_python_have_one_version_in_all_workflows():
    versions, pythons = defaultdict(set), set()
    for name in WORKFLOWS:
        for step in steps(name):
            if "uses" in step:
                action, version = step["uses"].split("@")
                versions[action].add(version)
            pythons |= {value for key, value in step.get("with", {}).items() if key == "python-version"}
    assert versions == {"actions/checkout": {"v6"}, "actions/setup-python": {"v6"}}
    assert len(pythons) == 1


def test_every_week_the_tests_run_on_the_newest_of_everything():
    (when,) = WORKFLOWS["weekly"][True]["schedule"]  # YAML takes `on` for a truth
    assert when["cron"].split()[2:4] == ["*", "*"]
    said = "\n".join(step.get("run", "") for step in steps("weekly"))
    assert 'pip install -e ".[train,export,test]"' in said
    assert "pytest" in said
    assert ".lock" not in said
    assert "make" not in said  # it would install the lock


def test_no_workflow_may_write_more_than_a_comment():
    assert {name: flow["permissions"] for name, flow in WORKFLOWS.items()} == {
        "results": {"contents": "read", "pull-requests": "write"},
        "test": {"contents": "read"},
        "weekly": {"contents": "read"},
    }
