"""Finds the steps of a plan, checks their names and numbers, and orders them.

A plan is a folder (or package) whose `s*.py` files define `Step` classes. Plans come from the
entry-point group `winbuild.plans` (name -> package) and from the folders named in the setting
PLANS, where each sub-folder with `s*.py` (and an `__init__.py`) is a plan of that name.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import itertools
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

from winbuild.errors import StepPluginError
from winbuild.step import NAME_PATTERN, ManualStep, Step

ENTRY_POINT_GROUP = "winbuild.plans"
FINAL_NUMBER = 9999


@dataclass(frozen=True)
class Plan:
    """The ordered steps of a walk. `steps` hold `genN` where the walk loops."""

    name: str
    description: str
    steps: tuple[Step, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_name", {step.name: step for step in self.steps})

    def step(self, name: str) -> Step | None:
        """The step of that name, as it stands in the class (with genN)."""
        by_name: Mapping[str, Step] = self._by_name  # type: ignore[attr-defined]
        return by_name.get(name)

    @property
    def walked(self) -> tuple[Step, ...]:
        """The steps that follow one another: all but the closing 9999 step."""
        return tuple(step for step in self.steps if order(step.name)[0] != FINAL_NUMBER)

    @property
    def closing(self) -> Step | None:
        return next((s for s in self.steps if order(s.name)[0] == FINAL_NUMBER), None)

    def successor(self, step: Step) -> Step | None:
        """The step that follows, or None where the walk ends."""
        if step.leads_to:
            return self.step(step.leads_to)
        walked = self.walked
        index = walked.index(step) + 1 if step in walked else len(walked)
        return walked[index] if index < len(walked) else None


def order(name: str) -> tuple[int, str]:
    """`1003b-record-…` → (1003, "b")."""
    match = NAME_PATTERN.fullmatch(name)
    if not match:
        raise StepPluginError(
            f"{name!r} is no name for a step",
            hint="a name is a number and words with hyphens: 5-record-logs, 8-M-enter-password",
        )
    return int(match["number"]), match["letter"]


# -- finding -----------------------------------------------------------------------------


def find_plans(folders: str = "") -> dict[str, str | Path]:
    """Name of each plan → package or folder. `folders`: the setting PLANS, colon-separated.

    Raises StepPluginError when two plans have one name, naming both places.
    """
    found: dict[str, str | Path] = {}
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        _add(found, entry.name, entry.value)
    for folder in filter(None, folders.split(":")):
        root = Path(folder).expanduser()
        if not root.is_dir():
            raise StepPluginError(f"PLANS: {root} is not a folder")
        for sub in sorted(root.iterdir()):
            if sub.is_dir() and any(sub.glob("s*.py")):
                _add(found, sub.name, sub)
    return found


def _add(found: dict[str, str | Path], name: str, place: str | Path) -> None:
    if name in found and str(found[name]) != str(place):
        raise StepPluginError(f"two plans are called {name!r}: {found[name]} and {place}")
    found[name] = place


def load_plan(name: str, folders: str = "") -> Plan:
    """Raises StepPluginError if there is no such plan or its steps do not fit together."""
    plans = find_plans(folders)
    if name not in plans:
        raise StepPluginError(
            f"there is no plan {name!r}; there are: {', '.join(sorted(plans)) or 'none'}",
            hint="plans of your own: set PLANS to the folder that holds the plan's folder",
        )
    place = plans[name]
    package = _import_folder(name, place) if isinstance(place, Path) else _import_package(place)
    if package.__file__ is None:
        raise StepPluginError(f"plan {name!r}: {place} has no __init__.py")
    folder = Path(package.__file__).parent
    classes: list[type[Step]] = []
    for file in sorted(folder.glob("s*.py")):
        module = _import(f"{package.__name__}.{file.stem}")
        classes.extend(_steps_of(module))
    return Plan(name, (package.__doc__ or "").strip(), check_steps(name, classes))


def _import_package(name: str) -> ModuleType:
    return _import(name)


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except StepPluginError:
        raise
    except Exception as exc:
        raise StepPluginError(f"{name} cannot be imported: {type(exc).__name__}: {exc}") from exc


def _import_folder(name: str, folder: Path) -> ModuleType:
    """Import a folder as a package of its own name space, whether it has __init__.py or not."""
    package_name = f"winbuild_plan_{name.replace('-', '_')}"
    init = folder / "__init__.py"
    if not init.exists():
        raise StepPluginError(
            f"plan {name!r}: {folder} has no __init__.py",
            hint="add one; its docstring describes the plan",
        )
    spec = importlib.util.spec_from_file_location(
        package_name, init, submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        raise StepPluginError(f"plan {name!r}: {init} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[package_name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as exc:
        raise StepPluginError(f"{init}: {type(exc).__name__}: {exc}") from exc
    return module


def _steps_of(module: ModuleType) -> Iterable[type[Step]]:
    for found in vars(module).values():
        # Not isinstance: it would look into the object, and so load modules that are lazy.
        if not issubclass(type(found), type) or found.__module__ != module.__name__:
            continue
        if issubclass(found, Step) and isinstance(getattr(found, "name", None), str):
            yield found


# -- checking ----------------------------------------------------------------------------


def check_steps(plan: str, classes: Iterable[type[Step]]) -> tuple[Step, ...]:
    """Order the steps and refuse duplicates, gaps, and classes that do not fit their names."""
    faults: list[str] = []
    by_place: dict[tuple[int, str], type[Step]] = {}
    for cls in classes:
        place = order(cls.name)
        if place in by_place:
            faults.append(
                f"two steps have the number {place[0]}{place[1]}: {cls.name} in {_file(cls)} "
                f"and {by_place[place].name} in {_file(by_place[place])}"
            )
            continue
        by_place[place] = cls
        faults.extend(_faults_of(cls))
    numbers = sorted(by_place)
    faults.extend(_gaps(numbers, by_place))
    if not numbers:
        faults.append("it has no steps")
    names = {cls.name for cls in by_place.values()}
    faults.extend(
        f"{cls.name}: leads_to names {cls.leads_to}, and there is no such step"
        for cls in by_place.values()
        if cls.leads_to and cls.leads_to not in names
    )
    if faults:
        raise StepPluginError(f"plan {plan!r} cannot be used:\n  - " + "\n  - ".join(faults))
    return tuple(by_place[number]() for number in numbers)


def _faults_of(cls: type[Step]) -> Iterable[str]:
    says_manual = "-M-" in cls.name
    if says_manual != cls.manual:
        kind = "is a ManualStep" if cls.manual else "is not a ManualStep"
        has = "has" if says_manual else "lacks"
        yield f"{cls.name} in {_file(cls)} {has} -M- in its name but {kind}"
    if not cls.manual and cls.run is Step.run:
        yield f"{cls.name} in {_file(cls)} has no run()"
    if cls.manual and cls.verify is ManualStep.verify:
        yield f"{cls.name} in {_file(cls)} has no verify()"


def _gaps(
    numbers: list[tuple[int, str]], by_place: Mapping[tuple[int, str], type[Step]]
) -> list[str]:
    """Numbers count up by one; `5b` may follow `5`; a new thousand may begin anywhere."""
    faults = []
    if numbers and numbers[0] != (0, ""):
        faults.append(f"the first step must have number 0, and it is {by_place[numbers[0]].name}")
    for before, here in itertools.pairwise(numbers):
        counted = here == (before[0] + 1, "")
        lettered = here[0] == before[0] and here[1] == chr(ord(before[1] or "a") + 1)
        new_block = here[1] == "" and here[0] // 1000 > before[0] // 1000
        if not (counted or lettered or new_block):
            faults.append(
                f"there is a gap between {by_place[before].name} and {by_place[here].name} "
                f"({_file(by_place[here])})"
            )
    return faults


def _file(cls: type[Step]) -> str:
    try:
        return inspect.getfile(cls)
    except (OSError, TypeError):
        return cls.__module__
