"""Words become lines and sentences as a person sees them."""

from __future__ import annotations

from winbuild.screen.areas import Box
from winbuild.screen.lines import BlockText, Word, find_phrase, lines_of

EVERYWHERE = Box(0, 0, 2000, 2000)


def word(text: str, left: int, top: int, *, high: int = 10) -> Word:
    return Word(text, Box(left, top, left + 7 * len(text), top + high), 90.0)


def row(text: str, left: int, top: int) -> list[Word]:
    words = []
    for part in text.split():
        words.append(word(part, left, top))
        left += 7 * (len(part) + 1)
    return words


def test_words_of_one_level_are_a_line_in_reading_order() -> None:
    words = [*row("second line", 10, 40), *row("the first", 10, 20)]
    assert [line.text for line in lines_of(list(reversed(words)))] == ["the first", "second line"]


def test_a_wide_gap_parts_label_and_field() -> None:
    assert [line.text for line in lines_of([word("Hostname:", 0, 0), word("DEMO1", 200, 0)])] == [
        "Hostname:",
        "DEMO1",
    ]


def test_an_icon_two_lines_high_does_not_draw_the_lines_together() -> None:
    words = [
        word("&)", 0, 0, high=34),
        *row("A required driver is", 40, 2),
        *row("missing. If", 40, 22),
    ]
    lines = lines_of(words)
    assert "A required driver is" in " ".join(line.text for line in lines)
    assert not any("required" in line.text and "missing" in line.text for line in lines)


def test_a_phrase_wrapped_over_lines_is_found_with_its_place() -> None:
    block = BlockText.of(
        [*row("Welcome to the ZABBIX", 100, 50), *row("Agent Setup Wizard", 100, 66)]
    )
    found = find_phrase(block, "Welcome to the ZABBIX Agent Setup Wizard", EVERYWHERE, 0.85)
    assert found is not None and found.similarity == 1.0
    assert (found.box.left, found.box.top, found.box.bottom) == (100, 50, 76)
    assert find_phrase(block, "Wizard", EVERYWHERE, 1.0) is not None


def test_the_place_is_that_of_the_words_of_the_phrase_only() -> None:
    block = BlockText.of(row("please press OK now", 0, 0))
    found = find_phrase(block, "OK", EVERYWHERE, 1.0)
    assert found is not None and found.read == "OK"
    assert found.box == Box(91, 0, 105, 10)


def test_the_area_decides_which_of_two_places_counts() -> None:
    block = BlockText.of([*row("Next", 0, 0), *row("Next", 400, 300)])
    found = find_phrase(block, "Next", Box(300, 200, 500, 400), 0.85)
    assert found is not None and found.box.left == 400
    assert find_phrase(block, "Next", Box(100, 100, 200, 200), 0.85) is None


def test_alone_refuses_a_line_that_says_more() -> None:
    block = BlockText.of(row("Welcome to the wizard", 0, 0))
    assert find_phrase(block, "Welcome", EVERYWHERE, 0.85, alone=True) is None
    assert find_phrase(block, "Welcome", EVERYWHERE, 0.85) is not None


def test_no_words_make_no_lines() -> None:
    assert BlockText.of([]) == BlockText((), ())
