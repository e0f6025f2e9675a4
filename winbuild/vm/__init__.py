"""The virtual machine."""

from winbuild.lazy import lazy_modules

__getattr__ = lazy_modules(__name__, {"launch", "ports"})
