"""Random texts, always the same ones, and what Twilio's calculator said of each: answers.txt.

To ask it again: `npm install sms-segments-calculator@1.3.0` in an empty folder, then, from the repository,
`python -m tests.conversations.calculator.texts THAT_FOLDER`. With `--texts 20000 --seed 7` it compares other ones, and
writes nothing.
"""

import argparse
import hashlib
import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from random import Random

HERE = Path(__file__).parent
ANSWERS = HERE / "answers.txt"
SEED, HOW_MANY = 1120, 2500
Answer = list[str | int]  # the encoding, the units, and the characters in each part

FAMILY = ["👨‍👩‍👧‍👦", "👋🏽", "🇩🇪", "🇮🇹", "🏳️‍🌈", "🤷🏻‍♀️", "❤️", "1️⃣", "👋", "😜", "🏴󠁧󠁢󠁥󠁮󠁧󠁿"]
ACCENTED = ["e\u0301", "n\u0303", "и\u0306", "u\u0308\u0301", "é\u0301\u0301", "שָׁ", "ค่ำ", "नि", "\r\n"]


def ranges(*pairs: tuple[int, int]) -> list[str]:
    return [chr(code) for first, last in pairs for code in range(first, last + 1)]


BASIC = list(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    "ÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION = list("\f^{}\\[~]|€")
WORDS = list("the quick brown fox jumps, over 13 lazy dogs. ")
SIGNS = ranges((0x20, 0x7E), (0xA0, 0xFF), (0x2B0, 0x2FF), (0x2010, 0x2027), (0x2030, 0x205E))
ODD = ranges((0, 0x1F), (0x7F, 0x9F), (0x1D00, 0x1D22), (0x2722, 0x274B), (0xFE10, 0xFE19), (0xFE50, 0xFE6B))
WIDE = ranges((0x2000, 0x200A), (0xFF01, 0xFF5E), (0x3000, 0x3002), (0x23B8, 0x23BD), (0x29F5, 0x29F9))
SCRIPTS = ranges((0x391, 0x3A1), (0x410, 0x44F), (0x5D0, 0x5EA), (0x627, 0x64A), (0x3041, 0x3096), (0x4E00, 0x4FFF))
HANGUL_AND_INDIC = ranges((0x1100, 0x1112), (0x1161, 0x1175), (0xAC00, 0xAD00), (0x905, 0x94D), (0xE01, 0xE3A))
# Pools and how often each is drawn from: every text has one mixture.
MIXTURES: list[list[tuple[float, list[str]]]] = [
    [(1.0, BASIC)],
    [(0.9, BASIC), (1.0, EXTENSION)],
    [(0.5, WORDS), (1.0, EXTENSION)],
    [(0.97, WORDS), (1.0, SIGNS)],
    [(0.7, WORDS), (1.0, SIGNS)],
    [(0.8, WORDS), (1.0, ODD)],
    [(0.8, WORDS), (1.0, WIDE)],
    [(0.98, WORDS), (1.0, FAMILY)],
    [(0.6, WORDS), (0.8, FAMILY), (1.0, ACCENTED)],
    [(0.5, SCRIPTS), (0.9, WORDS), (1.0, ACCENTED)],
    [(0.7, HANGUL_AND_INDIC), (1.0, WORDS)],
    [(0.3, SCRIPTS), (0.5, HANGUL_AND_INDIC), (0.7, FAMILY), (0.9, EXTENSION), (1.0, SIGNS)],
]
LENGTHS = [(1, 1600), (60, 80), (128, 140), (150, 165), (195, 205), (300, 312), (455, 465)]


def texts(seed: int, how_many: int) -> list[str]:
    random = Random(seed)

    def pick(choices: Sequence[object]) -> object:  # by random() alone, which no version of Python draws differently
        return choices[int(random.random() * len(choices))]

    def text(mixture: list[tuple[float, list[str]]]) -> str:
        shortest, longest = LENGTHS[int(random.random() * len(LENGTHS))]
        pieces = []
        for _ in range(shortest + int(random.random() * (longest - shortest + 1))):
            drawn = random.random()
            pieces.append(str(pick(next(pool for below, pool in mixture if drawn < below))))
        return "".join(pieces)[:1600]

    return [text(MIXTURES[number % len(MIXTURES)]) for number in range(how_many)]


def digest(of: list[str]) -> str:
    return hashlib.sha256("\0\0".join(of).encode()).hexdigest()


def recorded() -> tuple[str, list[tuple[Answer, Answer]]]:
    """The digest of the texts that were asked about, and for each: as it is, and with smart encoding."""
    first, *lines = ANSWERS.read_text().splitlines()
    return first, [tuple(map(parsed, line.split(";"))) for line in lines]  # type: ignore[misc]


def parsed(answer: str) -> Answer:
    encoding, *numbers = answer.split()
    return [encoding, *map(int, numbers)]


def asked(folder: Path, about: list[str]) -> list[tuple[Answer, Answer]]:
    ran = subprocess.run(
        ["node", HERE / "ask.js"],
        input=json.dumps(about),
        env={**os.environ, "NODE_PATH": str(folder / "node_modules")},
        capture_output=True,
        text=True,
        check=True,
    )
    return [(plain, smart) for plain, smart in json.loads(ran.stdout)]


def ours(body: str) -> Answer:
    from replyline.conversations.segments import measure, split

    size = measure(body)
    parts = [len(part) for part in split(body)]
    assert len(parts) == size.segments
    return [str(size.encoding), size.units, *parts]


def main() -> None:
    from replyline.conversations.smart_encoding import smart_encoded

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--texts", type=int, default=HOW_MANY)
    given = parser.parse_args()
    about = texts(given.seed, given.texts)
    answers = asked(given.folder, about)
    differ = [
        (body, said, mine)
        for body, said in zip(about, answers, strict=True)
        if list(said) != (mine := [ours(body), ours(smart_encoded(body))])
    ]
    print(f"{len(about)} texts, {len(differ)} differ")
    for body, said, mine in differ[:10]:
        print(ascii(body[:100]), said, mine, sep="\n  ")
    if (given.seed, given.texts) == (SEED, HOW_MANY):
        lines = [";".join(" ".join(map(str, answer)) for answer in pair) for pair in answers]
        ANSWERS.write_text("\n".join([digest(about), *lines, ""]))


if __name__ == "__main__":
    main()
