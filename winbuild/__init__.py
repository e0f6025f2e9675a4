"""winbuild builds Windows seed images for clouds as a resumable walk of steps."""

__version__ = "0.1.0"
