"""What a text is about, by the words in it."""

import re
from enum import StrEnum


class Intent(StrEnum):
    """What someone may want. One text can hold several."""

    BOOK = "book"
    ASK_IF_FREE = "ask_if_free"  # "do you have anything on Friday?"
    MOVE = "move"
    CANCEL = "cancel"
    LIST = "list"  # what is booked
    HOURS = "hours"
    PRICE = "price"
    LENGTH = "length"
    ADDRESS = "address"
    SERVICES = "services"
    PERSON = "person"  # someone real, please
    WHO = "who"  # who or what are you
    ABILITIES = "abilities"
    HOW_ARE_YOU = "how_are_you"
    HELLO = "hello"
    THANKS = "thanks"
    BYE = "bye"
    YES = "yes"
    NO = "no"
    SORRY = "sorry"
    LAUGH = "laugh"
    LATE = "late"


WHAT = "(?:what|wat|which|when|wen|what time|wat time)"
YOU = "(?:you|u|ya|y'?all|you guys)"
MINE = "(?:appts?|appointments?|bookings?|class(?:es)?|sessions?|visits?|reservations?|lessons?)"

WORDS: dict[Intent, tuple[str, ...]] = {
    Intent.BOOK: (
        r"\b(?:re)?book(?!ed|ings?\b)",
        r"\b(?:schedule (?:me|an?|my)|reserve|appointment for|appt for|count me in|add me|set up)\b",
        r"\b(?:sign|put|fit|squeeze) (?:me|us) (?:up|down|in)\b",
        r"\b(?:can|could|may|shall) (?:i|we) (?:still |please |also )?"
        r"(?:come|get|join|do|have|make|pop|drop|see|try|take|attend|stop by)\b",
        r"\b(?:i|we)(?:'d| would|'ll| will|d|ll)? "
        r"(?:like|love|want|wanna|need|take) (?!to (?:know|ask|talk|speak)|you)",
        r"\b(?:i'm|im|i am|we're|we are|i'll|ill) (?:coming|gonna come|come)\b",
        r"\b(?:lemme|let me|let's|lets) (?:do|come|have|book|get)\b",
        rf"\bmake an? {MINE}\b",
        r"\bhow about\b|\bwhat about\b",
    ),
    Intent.ASK_IF_FREE: (
        rf"\b(?:do|does|have|has|got) {YOU} (?:have|got|do|offer)\b",
        r"\b(?:is|are) there\b",
        r"\bany(?:thing)? (?:open|free|spots?|slots?|space|openings?|room|availability)\b",
        r"\bavailab\w+|\bis .{2,20} free\b|\bspace for\b|\broom for\b",
    ),
    Intent.MOVE: (
        r"\b(?:move|mov|resched\w*|change|push|switch|postpone|bump|shift|swap|delay)\b",
        r"\b(?:make|do) it (?:at |for )?(?:\d|later|earlier)|\bbring it (?:forward|back)",
        r"\bcome (?:later|earlier)\b|\b(?:hours?|hrs?|min\w*) (?:later|earlier)\b|\binstead\b",
    ),
    Intent.CANCEL: (
        r"\bcanc[el]{1,3}(?:ing|ation)?\b|\bcall (?:it )?off\b|\b(?:drop|delete|remove) (?:my|it|the)\b",
        r"\b(?:can'?t|cannot|won'?t|not able to|unable to|not going to) (?:be able to )?(?:make|come|attend)\b",
        r"\bnot coming\b",
    ),
    Intent.LIST: (
        rf"\b{WHAT}\b.{{0,25}}\b(?:i|my|mine)\b.{{0,15}}\b(?:booked|scheduled|{MINE}|next)\b",
        r"\bwhen(?:'s| is| are| am|s) (?:my|i|mine)\b|\b(?:what|wat) time(?:'s| is| am) (?:my|i)\b",
        rf"\bmy (?:next |upcoming )?(?:schedule|{MINE})\W*$",
        r"\b(?:do|did) i (?:still |already )?have (?:an?y?|some|something|anything)\b",
        r"\bcancel+ed\W*$|\bstill on\b|\bi'?ll be there\b",
        r"\bremind me (?:what|when|of|about)\b|\b(?:am|was) i (?:still )?(?:booked|down|signed|on)\b",
        r"\bwhat (?:do|did|have) i (?:have|got|book)\b|\b(?:have i got|did i book)\b|\bconfirm my\b",
    ),
    Intent.HOURS: (
        r"\b(?:opening|business|your|ur|the) (?:hours|hrs|times)\b|\b(?:what|wat) (?:are )?(?:the )?(?:hours|hrs)\b",
        r"^\W*(?:hours|hrs)\W*$|\bclosing time\b",
        rf"\b(?:are|r) {YOU} (?:still )?(?:open|closed)\b|\b{YOU} (?:guys )?open\b|\bopen (?:on|today|tom|now|late|(?:un)?til+)",
        r"\b(?:when|(?:what|wat) time|how (?:late|early|long)|(?:un)?til+ when) (?:do|are|r|is) "
        r".{0,15}(?:open|close|shut)",
    ),
    Intent.PRICE: (r"\b(?:how much|prices?|pricing|costs?|fees?|rates?|charge|expensive)\b",),
    Intent.LENGTH: (r"\bhow long (?!(?:are|r) (?:you|u) open)|\bhow many (?:minutes|mins)\b|\bduration\b",),
    Intent.ADDRESS: (
        r"\b(?:address|located|location|directions)\b|^\W*where\W*$",
        rf"\bwhere (?:are|r|is|do|s|can i find|to find|should i (?:go|come)|at)\b|\bwhere {YOU} at\b|\bwhere's\b",
    ),
    Intent.SERVICES: (
        r"\b(?:what|which|wat) (?:(?:kinds?|types?|sort|other) (?:of )?)?"
        r"(?:class\w*|services?|courses?|lessons?|treatments?)\b",
        rf"\b(?:what|wat) (?:do|can|else do) (?:{YOU}|i) (?:offer|book|have)\b(?! booked)",
        r"\b(?:class|service) list\b|\bmenu\b",
        r"\byour (?:classes|services)\b",
    ),
    Intent.PERSON: (
        r"\b(?:real|actual|live) (?:person|human|someone)\b|\b(?:call|phone|ring) me\b|\breceptionist\b|\bcomplain",
        r"\b(?:talk|speak|chat|pass me|put me through) (?:to|with) (?:an?|the|some|your)? ?"
        r"(?:person|human|someone|somebody|one|body|manager|owner|agent|staff|representative|rep)\b",
    ),
    Intent.WHO: (
        r"\bwho(?:'s| is| are| r|m| am)? (?:this|that|you|u|i)\b|\bwhat are you\b|\byour name\b|\bchat ?(?:gpt|bot)\b",
        rf"\b(?:are|r) {YOU} (?:a |an |the |even |really )*(?:robot|bot|human|person|ai|machine|computer|real)\b",
        r"\b(?:is|am) (?:this|i|it) (?:a |an |talking |texting |chatting |speaking )?"
        r"(?:to |with )?(?:a |an )?(?:robot|bot|human|person|real|ai|automated|machine)",
    ),
    Intent.ABILITIES: (
        rf"\bwhat (?:can|could|do) {YOU} do\b|\bhow (?:does|do) (?:this|it|you) work\b|\bhelp me\b|\bcan {YOU} help\b",
    ),
    Intent.HOW_ARE_YOU: (
        rf"\bhow (?:are|r) (?:{YOU}|things)\b|\bhow'?s it going\b",
        rf"\b(?:what'?s|wh?as+)[ ']?up\b|\bhow have {YOU} been\b",
    ),
    Intent.HELLO: (
        r"^\W*(?:hi+|hello+|hey+|heya|hiya|yo|howdy|hola|good (?:morning|afternoon|evening)|morning|greetings)\b",
    ),
    Intent.THANKS: (
        r"\b(?:thanks?|thank (?:you|u)|thx|tks|tysm|ty|cheers|appreciate)\b",
        r"\b(?:great|perfect|awesome|cool|nice|excellent|wonderful|lovely|sweet|amazing|well done|love it)\W*$",
    ),
    Intent.BYE: (
        r"\b(?:bye|goodbye|see (?:you|ya|u)(?: (?:then|there|soon|later|tomorrow|\w+day))?|cya|good ?night|ttyl)\W*$",
    ),
    Intent.YES: (
        r"^\W*(?:yes|yeah|yep|yup|ya|y|sure|ok|okay|kk?|please|correct|right|sounds good|(?:that )?works|do it|"
        r"go ahead|perfect|book it|great)\b",
    ),
    Intent.NO: (r"^\W*(?:no|nope|nah|n|not now|never ?mind|nvm|forget (?:it|about)|leave it|don'?t)\b",),
    Intent.SORRY: (r"^\W*(?:sorry|my bad|apologies|oops)\b",),
    Intent.LAUGH: (r"\b(?:lo+l|lmao|rofl|(?:ha){2,}h?|hehe)\b|^[^\w?]+$",),
    Intent.LATE: (r"\b(?:running|gonna be|be|bit|little|am|i'?m|minutes?|mins?) late\b(?!r)",),
}
PATTERNS = {intent: re.compile("|".join(words), re.IGNORECASE) for intent, words in WORDS.items()}

STRAIGHT = str.maketrans({"\u2019": "'", "\u2018": "'", "`": "'"})


def intents_of(text: str) -> frozenset[Intent]:
    words = text.translate(STRAIGHT)
    found = {intent for intent, pattern in PATTERNS.items() if pattern.search(words)}
    if found & {Intent.MOVE, Intent.CANCEL}:
        found.discard(Intent.LIST)  # "cancel my appointment" does not ask for it
    return frozenset(found)
