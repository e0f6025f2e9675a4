"""What goes into the VM's drives."""

from winbuild.lazy import lazy_modules

__getattr__ = lazy_modules(__name__, {"floppy"})
