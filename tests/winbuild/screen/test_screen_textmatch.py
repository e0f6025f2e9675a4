"""Phrases are found in text with reading errors, and only there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winbuild.screen.textmatch import best_window, fold, stands_alone

WORDS = st.text("abcd", min_size=1, max_size=14)
TEXTS = st.text("abcd", max_size=40)


def _edits(one: str, other: str) -> int:
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        last, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            last, row[j] = row[j], min(last + (a != b), row[j] + 1, row[j - 1] + 1)
    return row[-1]


def _by_trying_all(phrase: str, text: str) -> float:
    windows = (text[a:b] for a in range(len(text) + 1) for b in range(a, len(text) + 1))
    return max(1 - _edits(phrase, window) / len(phrase) for window in windows)


@given(WORDS, TEXTS, st.sampled_from([0.5, 0.75, 0.85, 1.0]))
def test_the_best_window_is_the_best_of_all(phrase: str, text: str, minimum: float) -> None:
    best = _by_trying_all(phrase, text)
    window = best_window(phrase, text, minimum)
    if best < minimum - 1e-9:
        assert window is None
    else:
        assert window is not None
        assert window.similarity == pytest.approx(best)
        edits = _edits(phrase, text[window.start : window.end])
        assert 1 - edits / len(phrase) == pytest.approx(best)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Press CTRL + ALT + DELETE", "press ctrl+alt+delete."),
        ("Installing", "lnsta11ing"),
        ("ﾊﾟｽﾜｰﾄﾞ", "パスワード"),
        ("パスワード", "ハスワート"),  # voiced marks are lost in small type
        ("シャットダウン", "シヤツトタウン"),
        ("インストール", "インスト一ル"),  # kanji one for the long vowel mark
        ("Ｗｉｎｄｏｗｓ", "Windows"),
    ],
)
def test_what_looks_alike_compares_as_the_same(one: str, other: str) -> None:
    assert fold(one) == fold(other)


def test_different_screens_stay_different() -> None:
    read = fold("Welcome to the ZABBIX Agent Setup Wizard")
    assert best_window(fold("Completing the ZABBIX Agent Setup Wizard"), read, 0.9) is None
    assert best_window(fold("Setting up devices"), fold("Getting devices ready")) is None


def test_punctuation_alone_matches_nothing() -> None:
    assert fold(">_ :( …") == ""
    assert best_window("", "anything") is None


def test_a_spinner_beside_a_word_is_let_pass_and_a_sentence_is_not() -> None:
    assert stands_alone(fold("Welcome"), fold("O Welcome"))
    assert not stands_alone(fold("Welcome"), fold("Welcome to the wizard"))
