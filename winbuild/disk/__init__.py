"""Disk images, their partitions and file systems."""

from winbuild.lazy import lazy_modules

__getattr__ = lazy_modules(__name__, {"image"})
