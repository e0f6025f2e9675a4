"""The guest's scripts as texts: their form, and PowerShell that version 2.0 understands."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import tree_sitter
import tree_sitter_powershell

from winbuild.guest.scripts import floppy_scripts, installed_scripts
from winbuild.media.answer_file import FINAL_STEPS_COMMAND

SCRIPTS = floppy_scripts()
POWERSHELL = sorted(name for name in SCRIPTS if name.endswith(".ps1"))
COMMANDS = sorted(name for name in SCRIPTS if name.endswith(".cmd"))

# Commands of Windows PowerShell 2.0 that the scripts use, and programs of Windows 2008 R2.
IN_POWERSHELL_2 = {
    "Add-Type",
    "ForEach-Object",
    "Get-ChildItem",
    "Get-Date",
    "Get-WmiObject",
    "Join-Path",
    "New-Object",
    "Out-String",
    "Remove-Item",
    "Select-Object",
    "Set-ItemProperty",
    "Set-StrictMode",
    "Sort-Object",
    "Split-Path",
    "Start-Service",
    "Start-Sleep",
    "Stop-Computer",
    "Stop-Service",
    "Test-Path",
    "Where-Object",
    "Write-Host",
}
OPERATORS_SINCE_3 = {"-in", "-notin", "-shl", "-shr"}


def parse(name: str) -> tree_sitter.Tree:
    language = tree_sitter.Language(tree_sitter_powershell.language())
    return tree_sitter.Parser(language).parse(SCRIPTS[name])


def nodes(node: tree_sitter.Node, *types: str) -> Iterator[tree_sitter.Node]:
    if node.type in types:
        yield node
    for child in node.children:
        yield from nodes(child, *types)


def words(name: str, *types: str) -> list[str]:
    return [(node.text or b"").decode() for node in nodes(parse(name).root_node, *types)]


def defined_functions() -> set[str]:
    return {word for name in POWERSHELL for word in words(name, "function_name")}


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_a_script_is_ascii_with_windows_line_ends(name: str) -> None:
    content = SCRIPTS[name]
    assert content.isascii() and b"\t" not in content
    assert content.count(b"\r\n") == content.count(b"\n") == content.count(b"\r")
    assert content.endswith(b"\r\n")


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_a_script_says_what_when_who_and_where_it_logs(name: str) -> None:
    comment = "rem" if name.endswith(".cmd") else "#"
    head = SCRIPTS[name].decode().splitlines()[:12]
    for word in ("What:", "When:", "Who:", "Log:"):
        assert any(line.startswith(f"{comment} {word}") for line in head)


@pytest.mark.parametrize("name", COMMANDS)
def test_stderr_is_logged_and_not_lost(name: str) -> None:
    for line in SCRIPTS[name].decode().splitlines():
        assert not re.search(r"2>&1.*>>", line), "cmd applies redirections from left to right"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_jump_has_its_label(name: str) -> None:
    lines = SCRIPTS[name].decode().splitlines()
    jumps = {line.rsplit("goto ", 1)[1] for line in lines if "goto " in line}
    assert jumps == {line[1:] for line in lines if line.startswith(":")}


@pytest.mark.parametrize("name", POWERSHELL)
def test_powershell_parses(name: str) -> None:
    tree = parse(name)
    broken = [node for node in nodes(tree.root_node, "ERROR")]
    assert not broken and not tree.root_node.has_error


def test_the_parser_of_these_tests_sees_errors() -> None:
    language = tree_sitter.Language(tree_sitter_powershell.language())
    assert tree_sitter.Parser(language).parse(b"if ($a { 1 }").root_node.has_error


@pytest.mark.parametrize("name", POWERSHELL)
def test_every_command_is_ours_or_known_to_powershell_2(name: str) -> None:
    # The grammar takes a range such as 1..2 for a command.
    used = {word for word in words(name, "command_name") if not word[0].isdigit()}
    assert used, "the grammar has another name for commands"
    assert used <= IN_POWERSHELL_2 | defined_functions() | set(POWERSHELL)


@pytest.mark.parametrize("name", POWERSHELL)
def test_no_operator_is_newer_than_powershell_2(name: str) -> None:
    used = {word.lower() for word in words(name, "comparison_operator")}
    assert not used & OPERATORS_SINCE_3
    assert b"$PSScriptRoot" not in SCRIPTS[name]
    assert b"[PSCustomObject]" not in SCRIPTS[name] and b"[ordered]" not in SCRIPTS[name]


def test_a_function_uses_nothing_of_its_caller() -> None:
    """Every variable in a function is its parameter, set in it, or one of PowerShell's own."""
    automatic = {"$_", "$true", "$false", "$null", "$lastexitcode"}
    checked = 0
    for name in POWERSHELL:
        for function in nodes(parse(name).root_node, "function_statement"):
            text = (function.text or b"").decode()
            used = {w.lower() for w in re.findall(r"\$\{?\w+", text)}
            used = {w.replace("{", "") for w in used} - {"$env"}
            parameters = {w.lower() for w in re.findall(r"\$\w+(?=[,)])", text.splitlines()[0])}
            assigned = {w.lower() for w in re.findall(r"(\$\w+) \+?= ", text)}
            assigned |= {w.lower() for w in re.findall(r"foreach \((\$\w+) in", text)}
            assert used <= automatic | parameters | assigned, text.splitlines()[0]
            checked += 1
    assert checked == len(defined_functions()) > 20


def test_the_answer_file_starts_a_script_of_the_floppy() -> None:
    assert FINAL_STEPS_COMMAND.rsplit("\\", 1)[1] in SCRIPTS


def test_an_updated_image_has_a_first_boot_before_it() -> None:
    scripts = installed_scripts()
    assert scripts["SetupComplete.cmd"] == SCRIPTS["SetupComplete-firstboot.cmd"]
    assert "FinalStepsForInstall.cmd" not in scripts


def test_the_programs_that_scripts_start_are_among_the_scripts() -> None:
    started = {
        found.decode()
        for content in SCRIPTS.values()
        for found in re.findall(rb"wakame-[a-z-]+\.(?:ps1|cmd)", content)
    }
    assert started and started <= set(SCRIPTS)
