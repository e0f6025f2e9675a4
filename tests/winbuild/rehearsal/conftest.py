"""Modules of this folder that several tests share (guest_world) are imported by their name."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
