from __future__ import annotations

from pathlib import Path

import pytest

from winbuild.errors import StepPluginError
from winbuild.machine import mermaid
from winbuild.plan import find_plans, load_plan

STEP = """
from winbuild.step import ManualStep, Step, StepContext

class {cls}({base}):
    "Do {name}."
    name = "{name}"
    {extra}
    def {method}(self, ctx: StepContext) -> None: ...
"""


def write_plan(root: Path, plan: str, *steps: tuple[str, str]) -> Path:
    """`steps` are (file stem, step name); -M- in the name makes it manual."""
    folder = root / plan
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(f'"""The plan {plan}."""\n')
    for number, (stem, name) in enumerate(steps):
        manual = "-M-" in name
        (folder / f"{stem}.py").write_text(
            STEP.format(
                cls=f"S{number}",
                base="ManualStep" if manual else "Step",
                name=name,
                method="verify" if manual else "run",
                extra="",
            )
        )
    return root


def test_the_steps_are_ordered_by_number(tmp_path: Path) -> None:
    root = write_plan(
        tmp_path,
        "ordered",
        ("s3", "1001-loop"),
        ("s1", "1-M-b"),
        ("s0", "0-a"),
        ("s2", "1b-c"),
        ("s4", "9999-end"),
    )
    plan = load_plan("ordered", str(root))
    assert [s.name for s in plan.steps] == ["0-a", "1-M-b", "1b-c", "1001-loop", "9999-end"]
    assert plan.description == "The plan ordered."
    assert [s.manual for s in plan.steps] == [False, True, False, False, False]
    assert plan.successor(plan.steps[3]) is None
    assert plan.closing is plan.steps[4]


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        (
            [("sa", "0-a"), ("sb", "1-b"), ("sc", "1-c")],
            ["two steps have the number 1", "1-b", "1-c", "sb.py", "sc.py"],
        ),
        (
            [("sa", "0-a"), ("sb", "1-b"), ("sc", "3-c")],
            ["gap between 1-b and 3-c", "sc.py"],
        ),
        ([("sa", "0-a"), ("sb", "0c-b")], ["gap between 0-a and 0c-b"]),
        ([("sa", "1-a")], ["first step must have number 0", "1-a"]),
        ([("sa", "0-a"), ("sb", "one-b")], ["'one-b' is no name for a step"]),
    ],
)
def test_what_does_not_fit_is_named(
    tmp_path: Path, steps: list[tuple[str, str]], says: list[str]
) -> None:
    root = write_plan(tmp_path, f"bad{abs(hash(str(steps)))}", *steps)
    with pytest.raises(StepPluginError) as caught:
        load_plan(next(root.iterdir()).name, str(root))
    for text in says:
        assert text in caught.value.message
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("class A(Step):\n    name = '0-a'\n", "has no run()"),
        ("class A(ManualStep):\n    name = '0-M-a'\n", "has no verify()"),
        (
            "class A(Step):\n    name = '0-M-a'\n    def run(self, ctx): ...\n",
            "has -M- in its name but is not a ManualStep",
        ),
        (
            "class A(ManualStep):\n    name = '0-a'\n    def verify(self, ctx): ...\n",
            "lacks -M- in its name but is a ManualStep",
        ),
        (
            "class A(Step):\n    name = '0-a'\n    leads_to = '7-x'\n    def run(self, ctx): ...\n",
            "leads_to names 7-x, and there is no such step",
        ),
        ("import nothing_of_that_name\n", "cannot be imported: ModuleNotFoundError"),
        ("x = 1\n", "it has no steps"),
    ],
)
def test_classes_that_cannot_be_steps(tmp_path: Path, source: str, says: str) -> None:
    name = f"odd{abs(hash(source))}"
    folder = tmp_path / name
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "s0.py").write_text("from winbuild.step import ManualStep, Step\n" + source)
    with pytest.raises(StepPluginError, match=says.replace("(", r"\(").replace(")", r"\)")):
        load_plan(name, str(tmp_path))


def test_two_plans_of_one_name_are_an_error_that_names_both(tmp_path: Path) -> None:
    write_plan(tmp_path, "wakame", ("s0", "0-a"))
    with pytest.raises(StepPluginError, match=r"called 'wakame'.*steps\.wakame.*wakame"):
        find_plans(str(tmp_path))


def test_an_unknown_plan_lists_the_known_ones() -> None:
    with pytest.raises(StepPluginError, match="there are: wakame"):
        load_plan("nonsense")


def test_a_missing_plans_folder(tmp_path: Path) -> None:
    with pytest.raises(StepPluginError, match="is not a folder"):
        load_plan("x", str(tmp_path / "none"))


def test_the_wakame_walk_has_exactly_the_names_of_the_original() -> None:
    names = [step.name for step in load_plan("wakame").steps]
    assert names == (Path(__file__).parents[1] / "golden/wakame-steps.txt").read_text().split()


def test_the_diagram_shows_the_loop_and_the_manual_steps() -> None:
    plan = load_plan("wakame")
    diagram = mermaid(plan)
    ids = {step.name: f"s{i}" for i, step in enumerate(plan.steps)}
    last, first = ids["1005-confirm-genN-sysprep-shutdown"], ids["1001-genN-first-boot"]
    assert f"{last} --> {first}: -do-next, N + 1" in diagram
    wait = ids["4-M-wait-for-ctrl-alt-delete-screen"]
    assert f"{wait} --> {ids['5-record-logs-at-ctrl-alt-delete-screen']}: -done" in diagram
    assert f"{ids['9999-finalize']} --> [*]: -do-next" in diagram
