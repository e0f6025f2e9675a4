"""What winbuild knows of Windows: versions, languages, and the ways of its desktop."""

from winbuild.lazy import lazy_modules

__getattr__ = lazy_modules(__name__, {"desktop"})
