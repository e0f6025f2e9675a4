"""Fixtures that every test may use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from winbuild.settings import schema


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="rewrite the files in tests/golden"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first: a whole walk that begins last would keep one processor idle."""
    items.sort(key=lambda item: 0 if item.get_closest_marker("walk") else 1)


@pytest.fixture(autouse=True)
def _clean_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """No setting of the developer's own gets into a test, and no test's cache gets out."""
    for key in schema():
        monkeypatch.delenv(key, raising=False)
    yield


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> object:
    """Compare text or bytes with a file in tests/golden; --update-golden rewrites it."""
    folder = Path(__file__).parent / "golden"

    def check(name: str, content: str | bytes) -> None:
        path = folder / name
        actual = content.encode() if isinstance(content, str) else content
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(actual)
        assert actual == path.read_bytes(), f"differs from tests/golden/{name}"

    return check


@pytest.fixture
def in_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project folder (with builddirs/ and resources/) as the current folder."""
    for name in ("builddirs", "resources"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path
