"""Markdown as plain text: models write it out of habit, and a phone shows its signs.

Works on text whose lines are trimmed and whose spaces are single. What is not surely markdown stays: 2*3*4, snake_case,
`*67*`, addresses with underscores.
"""

import re
from collections.abc import Callable

ADDRESS = re.compile(r"https?://|mailto:|tel:|www\.")
# What may stand around emphasis. A pair is looked for within 400 characters, so that no reply takes long.
BEFORE, AFTER = r"(?<![^\s(\[\"'“‘«*_~—–-])", r"(?![^\s.,:;!?)\]\"'”’»*_~…—–-])"
WITHIN = r"[^\n]{0,400}?"


def without_markdown(text: str) -> str:
    """The words of a reply: its lists as lines with hyphens, its links as "title: address", its tables as lines."""
    for signs, pattern, plain in (*BLOCKS, *SPANS):
        if not signs.isdisjoint(text):  # most replies have no sign of it, and looking for pairs is slow
            text = pattern.sub(plain, text)
    return text


def spelled_out(found: re.Match[str]) -> str:
    """A link as its title and its address. An address within a site means nothing on a phone."""
    title, address = found["title"].strip(), found["address"].strip("<>")
    bare = re.sub(r"^(?:mailto|tel):", "", address)
    if title.rstrip("/") == bare.rstrip("/"):
        return bare
    if not ADDRESS.match(address):
        return title
    return f"{title.rstrip(':')}: {bare}" if title else bare


def in_a_row(found: re.Match[str]) -> str:
    """A row of a table: its cells, one after the other."""
    return ", ".join(cell.strip() for cell in found[1].split("|") if cell.strip())


def block(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.MULTILINE)


# The signs it begins with, what it looks like, and what is left of it.
Markup = tuple[frozenset[str], re.Pattern[str], str | Callable[[re.Match[str]], str]]

BLOCKS: tuple[Markup, ...] = (
    (frozenset("<"), re.compile(r"<br ?/?>", re.IGNORECASE), "\n"),
    (frozenset("`~"), block(r"^(?:`{3,}|~{3,}) ?[\w+-]*$\n?"), ""),  # the fence of a code block
    (frozenset("#"), block(r"^(?:#{1,6} )+(?!of\b)([^\n]*?)(?: #+)*$"), r"\1"),  # a heading, and not "# of guests"
    (frozenset("-*_="), block(r"^(?:-{3,}|\*{3,}|_{3,}|={3,}|(?:- ){2,}-|(?:\* ){2,}\*)$\n?"), ""),  # a rule
    (frozenset("|"), block(r"^\|?(?: ?:?-{2,}:? ?\|)+(?: ?:?-{2,}:?)?$\n?"), ""),  # the line below a table's head
    (frozenset("|"), block(r"^\|(.+)\|$"), in_a_row),
    (frozenset(">"), block(r"^(?:> ?)+(?=[^\d\s=>])"), ""),  # a quotation, and not "> 18 years"
    (frozenset("*•‣◦▪●○"), block(r"^(?:\*(?= )|[•‣◦▪●○]) *(?=\S)"), "- "),
)

SPANS: tuple[Markup, ...] = (
    (
        frozenset("["),
        re.compile(
            r"!?\[(?P<title>[^\[\]\n]{0,400})\]"
            r"\( ?(?P<address><[^<>\n]{0,2000}>|[^\s()]*(?:\([^\s()]*\)[^\s()]*)?)(?: (?:\"[^\"\n]*\"|'[^'\n]*'))? ?\)"
        ),
        spelled_out,
    ),
    (frozenset("<"), re.compile(r"<((?:https?://|www\.)[^\s<>]+|[^\s<>@]+@[^\s<>@]+)>"), r"\1"),
    (frozenset("`"), re.compile(r"(`{1,2})(?!`)([^`\n]+)\1(?!`)"), r"\2"),  # code
    (frozenset("~"), re.compile(rf"(?<!~)~~(?=[^\s~]){WITHIN}(?<=[^\s~])~~(?!~)"), ""),  # struck out: no longer so
    (frozenset("*"), re.compile(rf"(?<!\*)\*\*\*(?=[^\s*])({WITHIN})(?<=[^\s*])\*\*\*(?!\*)"), r"\1"),
    (frozenset("*"), re.compile(rf"(?<![\d*])\*\*(?=[^\s*])({WITHIN})(?<=[^\s*])\*\*(?!\*)"), r"\1"),
    (
        frozenset("*"),
        re.compile(rf"(?<!\*){BEFORE}\*(?=[^\s*])(?![\d#]+\*)([^*\n]{{0,400}}?)(?<=[^\s*])\*(?!\*){AFTER}"),
        r"\1",
    ),
    (frozenset("_"), re.compile(rf"(?<!_){BEFORE}__(?=[^\s_])({WITHIN})(?<=[^\s_])__(?!_){AFTER}"), r"\1"),
    (frozenset("_"), re.compile(rf"(?<!_){BEFORE}_(?=[^\s_])({WITHIN})(?<=[^\s_])_(?!_){AFTER}"), r"\1"),
    (frozenset("\\"), re.compile(r"\\([\\`*_{}\[\]()#+.!|>~-])"), r"\1"),  # signs that were escaped
)
