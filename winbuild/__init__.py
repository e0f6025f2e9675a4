"""winbuild builds Windows seed images for clouds as a resumable walk of steps."""

from winbuild.lazy import lazy_modules

__version__ = "0.1.0"

# What steps work with.
__getattr__ = lazy_modules(
    __name__,
    {"boots", "first_boot", "guest_logs", "install_media", "packaging", "preflight"},
)
