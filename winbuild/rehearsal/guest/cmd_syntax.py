"""The grammar of cmd.exe scripts, as far as guest scripts need it: text → a tree of commands.

Percent signs have been expanded before (`expand`), as cmd does it: whole lines, and whole
parenthesised blocks, at a time. Not in the grammar: `for`, pipes, delayed expansion.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal


class SyntaxFault(ValueError):
    """cmd.exe would refuse this line; the text is what it would say, or what is unsupported."""


@dataclass(frozen=True)
class Redirect:
    """`handle` 1 or 2 goes to the file `target`; to the other handle if that is "&1" or "&2"."""

    handle: int
    target: str
    append: bool = False


@dataclass(frozen=True)
class Simple:
    """One command as it is written, without its redirections."""

    text: str
    redirects: tuple[Redirect, ...] = ()


@dataclass(frozen=True)
class Joined:
    """Two commands with "&", "&&" or "||" between them."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True)
class Block:
    """Commands in parentheses, one after the other."""

    commands: tuple[Node, ...]
    redirects: tuple[Redirect, ...] = ()


@dataclass(frozen=True)
class If:
    """`test` is "errorlevel", "exist", "defined", "==" or one of EQU NEQ LSS LEQ GTR GEQ."""

    test: str
    left: str
    right: str
    negated: bool
    any_case: bool
    then: Node
    otherwise: Node | None = None


Node = Simple | Joined | Block | If
COMPARISONS = ("EQU", "NEQ", "LSS", "LEQ", "GTR", "GEQ")
BLANKS = " \t"
PERCENT = re.compile(
    r"%%|%(?P<star>\*)|%(?:~(?P<how>[fdpnxs]*))?(?P<digit>\d)"
    r"|%(?P<name>[^%:\r\n]+)(?::(?P<edit>[^%\r\n]+))?%|%"
)


def expand(
    text: str, variables: Mapping[str, str], arguments: Sequence[str] | None, path: str = ""
) -> str:
    """Replace %NAME%, %1, %~dp0 ... in `text`.

    `variables` has names in upper case. `arguments` are %0 and following of a script; None at
    the prompt, where a name that is not set stays as it is written. `path` is the script's
    own: what %~0 means when %0 is the label of a `call :label`.
    """

    def replacement(match: re.Match[str]) -> str:
        if match["name"] is not None:
            value = variables.get(match["name"].upper())
            if value is None:
                return match[0] if arguments is None else ""
            return _edited(value, match["edit"]) if match["edit"] else value
        if arguments is None:
            return match[0]
        if match["star"]:
            return " ".join(arguments[1:])
        if match["digit"] is not None:
            number = int(match["digit"])
            value = arguments[number] if number < len(arguments) else ""
            if number == 0 and value.startswith(":"):
                value = path if match["how"] else value
            return value if match["how"] is None else path_part(value, match["how"])
        return "%" if match[0] == "%%" else ""

    return PERCENT.sub(replacement, text)


def _edited(value: str, edit: str) -> str:
    """The forms %NAME:~start,length% and %NAME:old=new%."""
    if edit.startswith("~"):
        numbers = [int(part) if part.strip() else 0 for part in edit[1:].split(",")]
        start = numbers[0] if numbers[0] >= 0 else max(0, len(value) + numbers[0])
        if len(numbers) == 1:
            return value[start:]
        end = start + numbers[1] if numbers[1] >= 0 else len(value) + numbers[1]
        return value[start:end]
    old, _, new = edit.partition("=")
    return re.sub(re.escape(old), lambda _: new, value, flags=re.IGNORECASE) if old else value


def path_part(value: str, how: str) -> str:
    """%~dp0 and the like: parts of a path by letters d p n x (f for all); no quotes."""
    value = value.strip('"')
    if not how:
        return value
    folder, cut, name = value.rpartition("\\")
    drive, path = (folder[:2], folder[2:]) if folder[1:2] == ":" else ("", folder)
    stem, dot, suffix = name.rpartition(".")
    parts = {
        "d": drive,
        "p": path + cut,
        "n": stem if dot else name,
        "x": dot + suffix if dot else "",
    }
    return "".join(parts[letter] for letter in "dpnx" if letter in how or "f" in how)


def open_parentheses(text: str) -> int:
    """How many blocks `text` leaves open, so that cmd reads on."""
    depth, quoted, at = 0, False, 0
    for line in text.split("\n"):
        if re.match(r"\s*@?\s*(rem\b|:)", line, re.IGNORECASE):
            continue
        quoted, at = False, 0
        while at < len(line):
            char = line[at]
            if char == '"':
                quoted = not quoted
            elif char == "^" and not quoted:
                at += 1
            elif not quoted and char == "(" and (depth or _begins_block(line[:at])):
                depth += 1
            elif not quoted and char == ")" and depth:
                depth -= 1
            at += 1
    return depth


def _begins_block(before: str) -> bool:
    """A parenthesis opens a block only where a command may stand."""
    before = before.strip(" \t@")
    return (
        not before
        or before[-1] in "&|("
        or before.lower().split()[0] == "if"
        or before.lower().endswith("else")
    )


def parse(text: str) -> Node | None:
    """The tree of one logical line. None for an empty line, a remark or a label."""
    commands = _Parser(text).commands(inside=False)
    if not commands:
        return None
    return commands[0] if len(commands) == 1 else Block(tuple(commands))


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def peek(self, length: int = 1) -> str:
        return self.text[self.at : self.at + length]

    def skip(self, chars: str = BLANKS) -> None:
        while self.peek() and self.peek() in chars:
            self.at += 1

    def commands(self, *, inside: bool) -> list[Node]:
        """Lines up to the end, or to the closing parenthesis."""
        found: list[Node] = []
        while True:
            self.skip(BLANKS + "\n&" if found else BLANKS + "\n")
            if not self.peek():
                if inside:
                    raise SyntaxFault("The syntax of the command is incorrect.")
                return found
            if self.peek() == ")" and inside:
                self.at += 1
                return found
            node = self.chain(inside)
            if node is not None:
                found.append(node)

    def chain(self, inside: bool, first: Node | None = None) -> Node | None:
        """Commands joined by operators, to the end of the line."""
        left = first if first is not None else self.command(inside)
        while True:
            self.skip()
            operator = next((op for op in ("&&", "||", "&", "|") if self.peek(len(op)) == op), "")
            if operator == "|":
                raise SyntaxFault("pipes are not supported in the rehearsal")
            if not operator:
                return left
            self.at += len(operator)
            # Everything right of "&" is the right side: && and || bind tighter.
            right = self.chain(inside) if operator == "&" else self.command(inside)
            if left is None or right is None:
                return left or right
            left = Joined(operator, left, right)

    def command(self, inside: bool) -> Node | None:
        self.skip(BLANKS + "@,;=")
        if self.peek() == "(":
            self.at += 1
            return Block(tuple(self.commands(inside=True)), self._redirects())
        word = re.match(r"[A-Za-z]*", self.text[self.at :])
        name = word[0].lower() if word else ""
        after = self.text[self.at + len(name) : self.at + len(name) + 1]
        if self.peek() == ":" or (name == "rem" and not after.isalnum()):
            end = self.text.find("\n", self.at)
            self.at = len(self.text) if end < 0 else end
            return None
        if name == "if" and after in ("", *BLANKS):
            self.at += 2
            return self.condition(inside)
        if name == "for" and after in ("", *BLANKS):
            raise SyntaxFault("for is not supported in the rehearsal")
        simple = self.simple(inside)
        return simple if simple.text.strip() or simple.redirects else None

    def _redirects(self) -> tuple[Redirect, ...]:
        """Those behind a block."""
        found: list[Redirect] = []
        while match := re.match(r"[ \t]*([12]?)(?=[<>])", self.text[self.at :]):
            self.at += match.end()
            found.append(self._redirect(self.peek(), int(match[1] or 1)))
        return tuple(found)

    def condition(self, inside: bool) -> Node:
        any_case = self._word("/i")
        negated = self._word("not")
        test, left, right = "", "", ""
        for keyword in ("errorlevel", "exist", "defined"):
            if self._word(keyword):
                test, left = keyword, self._operand()
                break
        else:
            left = self._operand()
            self.skip()
            test = "==" if self.peek(2) == "==" else self.peek(3).upper()
            if test != "==" and test not in COMPARISONS:
                raise SyntaxFault(f"{self._operand() or left} was unexpected at this time.")
            self.at += len(test)
            right = self._operand()
        then = self.command(inside)
        if then is None:
            raise SyntaxFault("The syntax of the command is incorrect.")
        otherwise: Node | None = None
        if isinstance(then, Block) and self._word("else"):
            otherwise = self.chain(inside)
        else:
            then = self.chain(inside, then) or then
        return If(test, left, right, negated, any_case, then, otherwise)

    def _word(self, word: str) -> bool:
        """Take `word` if it comes next."""
        start = self.at
        self.skip()
        if self.peek(len(word)).lower() == word and (
            self.text[self.at + len(word) : self.at + len(word) + 1] in ("", "(", "\n", *BLANKS)
        ):
            self.at += len(word)
            return True
        self.at = start
        return False

    def _operand(self) -> str:
        self.skip(BLANKS + ",;")
        start, quoted = self.at, False
        while self.peek() and self.peek() != "\n":
            if self.peek() == '"':
                quoted = not quoted
            elif not quoted and (self.peek() in BLANKS or self.peek(2) == "=="):
                break
            self.at += 1
        return self.text[start : self.at]

    def simple(self, inside: bool) -> Simple:
        """A command up to an operator, the end of the line or of the block."""
        kept: list[str] = []
        redirects: list[Redirect] = []
        quoted = False
        while char := self.peek():
            if char == '"':
                quoted = not quoted
            elif char == "\n":
                break
            elif not quoted:
                if char == "^":
                    self.at += 1
                    kept.append(self.peek())
                    self.at += 1
                    continue
                if char in "&|" or (char == ")" and inside):
                    break
                if char in "<>":
                    handle = self._handle_before(kept)
                    redirects.append(self._redirect(char, handle))
                    continue
            kept.append(char)
            self.at += 1
        return Simple("".join(kept), tuple(redirects))

    @staticmethod
    def _handle_before(kept: list[str]) -> int:
        """The digit just before ">" is a handle if a blank stands before it."""
        digit = kept[-1] if kept else ""
        if digit in ("1", "2") and (len(kept) == 1 or kept[-2] in BLANKS):
            kept.pop()
            return int(digit)
        return 1

    def _redirect(self, char: str, handle: int) -> Redirect:
        self.at += 1
        if char == "<":
            self._operand_of_redirect()
            return Redirect(0, "")
        append = self.peek() == ">"
        if append:
            self.at += 1
        kind: Literal["&1", "&2", ""] = ""
        for name in ("&1", "&2"):
            if self.peek(2) == name:
                kind = "&1" if name == "&1" else "&2"
        if kind:
            self.at += 2
            return Redirect(handle, kind)
        return Redirect(handle, self._operand_of_redirect(), append)

    def _operand_of_redirect(self) -> str:
        self.skip()
        match = re.match(r'(?:"[^"\n]*"|[^\s&|()<>"])+', self.text[self.at :])
        if match is None:
            raise SyntaxFault("The syntax of the command is incorrect.")
        self.at += len(match[0])
        return match[0].replace('"', "")


def script_arguments(text: str) -> list[str]:
    """The words that a script is called with; quotes stay, as %1 has them."""
    return re.findall(r'(?:[^\s,;="]|"[^"]*"?)+', text)


def split_arguments(text: str) -> list[str]:
    """The words of a command's tail; quotes hold blanks together and are taken away."""
    return [word.replace('"', "") for word in re.findall(r'(?:[^\s"]|"[^"]*"?)+', text)]
