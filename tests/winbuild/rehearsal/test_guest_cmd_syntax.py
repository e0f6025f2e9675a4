"""The grammar of the guest's cmd.exe."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winbuild.rehearsal.guest.cmd_syntax import (
    Block,
    If,
    Joined,
    Redirect,
    Simple,
    SyntaxFault,
    expand,
    open_parentheses,
    parse,
    path_part,
    split_arguments,
)

VARIABLES = {"A": "hello", "LOG": "C:\\x y.log", "EMPTY": ""}
ARGUMENTS = ["A:\\run me.cmd", "one", "two words"]


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("%a% %A%", "hello hello"),
        ("[%NOT SET%]", "[]"),
        ("100%%", "100%"),
        ("%~dp0x.xml", "A:\\x.xml"),
        ("%~n0%~x0 %~1", "run me.cmd one"),
        ("%0 %1 %2 %9 %*", "A:\\run me.cmd one two words  one two words"),
        ("%A:l=LL% %A:~1,3% %A:~-2%", "heLLLLo ell lo"),
    ],
)
def test_percent_signs_in_a_script(text: str, expanded: str) -> None:
    assert expand(text, VARIABLES, ARGUMENTS) == expanded


def test_percent_signs_at_the_prompt() -> None:
    assert expand("%A% %1 %NOT SET% %%", VARIABLES, None) == "hello %1 %NOT SET% %%"


def test_redirections_are_taken_out() -> None:
    assert parse('echo a> "b c.txt" 2>&1') == Simple(
        "echo a ", (Redirect(1, "b c.txt"), Redirect(2, "&1"))
    )
    assert parse('copy "a>b" c >> log') == Simple('copy "a>b" c ', (Redirect(1, "log", True),))
    assert parse("echo ends with 1>f") == Simple("echo ends with ", (Redirect(1, "f"),))
    assert parse("echo x21>f") == Simple("echo x21", (Redirect(1, "f"),))


def test_operators_bind_as_in_cmd() -> None:
    tree = parse("a && b || c & d")
    assert isinstance(tree, Joined) and tree.operator == "&"
    assert isinstance(tree.left, Joined) and tree.left.operator == "||"
    assert parse("echo a^&b") == Simple("echo a&b")


def test_if_takes_the_rest_of_the_line() -> None:
    tree = parse("if errorlevel 1 echo a & echo b")
    assert isinstance(tree, If) and isinstance(tree.then, Joined)


def test_if_with_blocks() -> None:
    tree = parse('if /i not "%A%"=="x" (\n echo a\n echo b) else if exist c:\\f echo c')
    assert isinstance(tree, If) and tree.negated and tree.any_case
    assert isinstance(tree.then, Block) and len(tree.then.commands) == 2
    assert isinstance(tree.otherwise, If) and tree.otherwise.test == "exist"


def test_remarks_and_labels_are_nothing() -> None:
    assert parse("rem a & b ( >") is None
    assert parse(":: a | b") is None
    assert parse(":label") is None


def test_parentheses_reach_over_lines_only_where_a_command_may_stand() -> None:
    assert open_parentheses("if a==b (") == 1
    assert open_parentheses("if a==b (\necho )") == 0
    assert open_parentheses("echo (") == 0
    assert open_parentheses("rem (") == 0
    assert open_parentheses('if exist "a (b" echo x') == 0


@pytest.mark.parametrize("text", ["if a", "for %%i in (a) do b", "dir | more", "(echo a", "a >"])
def test_what_is_not_understood_is_said(text: str) -> None:
    with pytest.raises(SyntaxFault):
        parse(text)


@given(st.text(alphabet='ab ()"&|<>^%=:\n/@~01if', max_size=40))
def test_any_text_parses_or_is_refused(text: str) -> None:
    """No text ends in another error, or in none at all."""
    try:
        tree = parse(expand(text, VARIABLES, ARGUMENTS))
    except SyntaxFault:
        return
    assert tree is None or isinstance(tree, Simple | Joined | Block | If)


def test_words_and_paths() -> None:
    assert split_arguments('a "b c" /u:"d e" ""') == ["a", "b c", "/u:d e", ""]
    assert path_part('"C:\\a b\\c.tar.gz"', "nx") == "c.tar.gz"
    assert path_part("name", "dpn") == "name"
