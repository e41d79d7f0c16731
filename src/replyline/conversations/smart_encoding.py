"""What Twilio's own "smart encoding" makes of a text, when a messaging service or a request asks for it.

The table is that of the calculator which Twilio publishes (npm sms-segments-calculator 1.3.0 of 2026-09-04; the one at
work behind its API may differ). It is kept as it is, with what it does to a reader: a tab becomes seven spaces, "1½"
becomes "11/2", and an accent that follows its letter becomes a sign of its own. Ours is look_alikes.py.
"""

TABLE = {
    "": "0000 0003-0004 0010-0014 0017 0019 200B-200C 2060 FEFF",
    " ": "2001 2028-2029",
    "  ": "0080 008D 0090 009B 009F-00A0 2000 2002-200A 202F 205F 3000",
    "       ": "0009",
    "!": "01C3 FE15 FE57 FF01",
    "!!": "203C",
    '"': "00AB 00BB 02BA 02EE 201C-201F 275D-275E 301D-301E FF02",
    "#": "FE5F FF03",
    "$": "FE69 FF04",
    "%": "FE6A FF05",
    "&": "FE60 FF06",
    "'": "0060 00B4 02B9 02BB-02BD 02C8 02CA-02CB 0313-0314 2018-2019 201B 275B-275C FE10-FE11 FF07",
    "(": "2768 276A 27EE 2985 FE59 FF08",
    ")": "2769 276B 27EF 2986 FE5A FF09",
    "*": "204E 2217 229B 2722-2725 2731-2733 273A-273D 2743 2749-274B 29C6 FE61 FF0A",
    "+": "02D6 FE62 FF0B",
    ",": "0326 201A 3001 FE50-FE51 FF0C FF64",
    "-": "2010 2013-2015 2022 2043 23BC-23BD FE63 FF0D",
    ".": "3002 FE52 FF0E FF61",
    "...": "2026",
    "/": "00F7 0337-0338 2044 2215 29F8 FF0F",
    "1/4": "00BC",
    "1/2": "00BD",
    "3/4": "00BE",
    ":": "02D0 02F8 2982 A789 FE13 FF1A",
    ";": "204F FE14 FE54 FF1B",
    "<": "2039 FE64 FF1C",
    "=": "0347 A78A FE66 FF1D",
    ">": "203A FE65 FF1E",
    "?": "FE16 FE56 FF1F",
    "@": "FE6B FF20",
    "[": "FF3B",
    "\\": "20E5 29F5 29F9 FE68 FF3C",
    "]": "FF3D",
    "^": "02C6 0302 1DCD FF3E",
    "_": "0332 2017 FF3F",
    "{": "2774 FE5B FF5B",
    "|": "20D2-20D3 2223 239C 239F 23B8-23B9 23D0 FF5C",
    "}": "2775 FE5C FF5D",
    "~": "02DC 02F7 0303 0330 0334 223C FF5E",
}
SMALL_CAPITALS = {
    "A": "1D00", "B": "0299", "C": "1D04", "D": "1D05", "E": "1D07", "F": "A730", "G": "0262", "H": "029C", "I": "026A",
    "J": "1D0A", "K": "1D0B", "L": "029F", "M": "1D0D", "N": "0274", "O": "1D0F", "P": "1D18", "R": "0280", "S": "A731",
    "T": "1D1B", "U": "1D1C", "V": "1D20", "W": "1D21", "Y": "028F", "Z": "1D22",
}  # fmt: skip
FULL_WIDTH = {chr(code - 0xFEE0): f"{code:04X}" for code in (*range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF3B))}


def smart_encoded(body: str) -> str:
    """The body as it leaves with SmartEncoded."""
    return body if body.isascii() and not ODD_IN_ASCII.intersection(body) else body.translate(BY_TWILIO)


def by_character(*tables: dict[str, str]) -> dict[str, str]:
    """Tables of code points and ranges of them, as one entry for each character."""
    entries: dict[str, str] = {}
    for table in tables:
        for plain, codes in table.items():
            for first, _, last in (code.partition("-") for code in codes.split()):
                entries |= dict.fromkeys(map(chr, range(int(first, 16), int(last or first, 16) + 1)), plain)
    return entries


TWILIO = by_character(TABLE, SMALL_CAPITALS, FULL_WIDTH)
BY_TWILIO = str.maketrans(TWILIO)
ODD_IN_ASCII = {character for character in TWILIO if character.isascii()}
