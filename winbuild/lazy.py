"""Packages whose modules are loaded when they are first used.

Looking at a build (`winbuild DIR`) needs the names of the steps, not what they work with, and
must be quick. So a step writes `from winbuild import boots` as always, and the module's code runs
when the step first uses it.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Collection
from types import ModuleType


def lazy_modules(package: str, names: Collection[str]) -> Callable[[str], ModuleType]:
    """A `__getattr__` (PEP 562) for the package, which gives these modules unloaded."""

    def get(name: str) -> ModuleType:
        full_name = f"{package}.{name}"
        spec = importlib.util.find_spec(full_name) if name in names else None
        if spec is None or spec.loader is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        spec.loader = importlib.util.LazyLoader(spec.loader)
        module = importlib.util.module_from_spec(spec)
        sys.modules[full_name] = module
        spec.loader.exec_module(module)
        setattr(sys.modules[package], name, module)
        return module

    return get
