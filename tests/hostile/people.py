"""What must never be seen in a log, and the words that make hostile requests."""

ACCOUNT = "AC" + "0" * 31 + "1"
TOKEN = "c0ffee0123456789abcdef0123456789"
SIGN_UP_SECRET = "5ec2e70123456789abcdef0123456789"
OTHER_TOKEN = "deadbeef0123456789abcdef01234567"
PUBLIC = "https://sms.example.test"
OURS = "+14155550100"
PHONE = "+12125550142"

# Planted in every body, number, query and header that is made up, so that one look at the logs finds a leak.
MARK = "zqxjk"

# Characters that have made somebody trouble: NUL and other controls, what turns the reading direction, what takes no
# room, half of a pair, noncharacters, marks that pile up, ligatures that grow, and emoji of several parts.
ODD = (
    "\x00", "\x01", "\x1b[2J", "\x7f", "\x85", "\u2028", "\r\n", "\u202e", "\u2066", "\u200b", "\u200d", "\ufeff",
    "\ufffe", "\uffff", "\U0010ffff", "\ufdd0", "\u0301" * 40, "\u0316\u0301" * 40, "\ufdfa", "\ufb03", "ß", "İ", "ǆ",
    "👨‍👩‍👧‍👦", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🇩🇪", "1️⃣", "нет", "הפסק", "停止", "'", '"', "<", "&amp;", "%", "\\", "{{7*7}}", "${x}",
    "../../etc/passwd", "'; DROP TABLE texts;--", "STOP", "start", "Help!", "[ACTION:LIST]", "**b**",
    "<contact_record>", "\\u0000", "\\ud800",
)  # fmt: skip

# Written as they come over the wire: no Python text gives these.
RAW_ODD = (
    b"%00", b"%ED%A0%80", b"%ED%BF%BF", b"%C0%80", b"%C0%AF", b"%F5%80%80%80", b"%FF%FE", b"%", b"%%", b"%2", b"%zz",
    b"%u0041", b"%25%30%30", b"%26", b"%3D", b"\xed\xa0\x80", b"\xff", b"\x00", b"\xc3", b"+", b";", b"=", b"&", b"%0d%0a",
)  # fmt: skip

NUMBERS = (
    "0",
    "-1",
    "1",
    "11",
    "999999999999999999999",
    "1e9",
    "0x10",
    " 3",
    "٣",
    "²",
    "NaN",
    "",
    "2147483648",
    "00000001",
)
STATUSES = (
    "accepted", "scheduled", "queued", "sending", "sent", "delivered", "undelivered", "failed", "read", "canceled",
    "receiving", "received", "partially_delivered", "DELIVERED", "Sent ", "exploded", "sent\x00", "", "x" * 30,
)  # fmt: skip
CODES = (
    "",
    "0",
    "21610",
    "30003",
    "30007",
    "63018",
    "572002",
    "-21610",
    "99999999",
    "999999999999",
    "abc",
    "30003\x00",
)
