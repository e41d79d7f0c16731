"""Opt-outs in free words: "please quit texting me", "take me off your list", "no mas". By phrases, before any model.

Any wording that a reasonable person would take for one counts (47 CFR 64.1200(a)(10)), in any language. What is asked
of the business rather than of its texts is none: "can I stop by at 8?", "cancel my class", "take me off the waiting list".
The English phrases follow compliance.md §2.2, §5.4 and §6; "no mas" is an analyst's own example (§10). The other languages
are translations that no list of a carrier or regulator backs: they are on, since what they miss would be texted on.
"""

import re

from replyline.conversations.segments import LONGEST_BODY
from replyline.rules.keywords import normalised

# English. What they are sent, how it is sent, to whom; and words between that change nothing.
_THINGS = (
    r"(?:te?xts?|txts?|messages?|messaging|msgs?|sms(?:es)?|notifications?|alerts?|reminders? (?:by|via) te?xts?|te?xting|"
    r"promos?|promotions?|spam)"
)
_SEND = r"(?:te?xt(?:ing|in)?|txt(?:ing)?|messag(?:e|ing)|msg(?:ing)?|contact(?:ing)?|spam(?:ming)?|bother(?:ing)?|harass(?:ing)?|writ(?:e|ing)(?: to)?)"
_ME = r"(?:me+|us|(?:my|this|that) (?:cell ?)?(?:phone|number|cell))"
_STOP = r"(?:stop+|quit|cease|discontinue|end|cut it out|knock it off|no more|enough|done)"
_NOT = r"(?:not|don ?t|dont|doesn t|never|no longer|wouldn t)"
_FILLER = r"(?:(?:me|us|my|these|those|this|that|your|you|all|any|anymore|more|the|of|with|w|it|to|from|sending|send|receiving|receive|get|getting|have|guys|stupid|damn|fucking|annoying|random|future|further|marketing|automated|te?xt|sms|phone) )"
_END = r"(?: (?:again|any ?more|ever|please|pls|plz|at all|here|thanks?|thank you|now|already|you guys|guys|from you|ok|okay|this number))*$"
_LIST = rf"(?:{_FILLER}|mailing |contact |email |calling |distribution |texting )*(?:list|lists|system|database|contacts|records)\b"
_HOLDS_ME = r"(?:me|us|my (?:name|number|phone number|phone|cell|info)|(?:this|that) (?:phone )?number)"

# Each group with the words that its phrases cannot do without, or their first four letters: most texts have none.
STOP_IT = (
    # A stop word, and texts, with little between: "no more of these texts", "knock it off with the text messages".
    rf"\b{_STOP} {_FILLER}{{0,5}}{_THINGS}{_END}",
    rf"\b{_STOP} {_FILLER}{{0,5}}(?:texts|txts|messages|msgs|notifications)\b(?! (?:about|when|on|if)\b)",
    rf"\b{_STOP} {_SEND} {_ME}\b",
    rf"\b{_STOP} {_SEND}{_END}",
    rf"\b(?:stop+|quit|cease) sending {_FILLER}{{0,5}}(?:{_THINGS}|stuff|things?|crap|shit|junk)\b",
    rf"\b(?:stop+|quit|cease) sending (?:me |us )?(?:these|this|those|them|it|anything){_END}",
    r"\b(?:stop|cease|end) all communications?\b|\bstop blowing up my phone\b",
    rf"\bstop reminding me (?:by|via|over) {_THINGS}",
    rf"\b(?:cancel|end) (?:these|all|all these|the) {_THINGS}\b|\b(?:cancel|end) (?:my )?subscription to (?:these|your|the) {_THINGS}\b",
    rf"\bturn (?:off {_FILLER}{{0,3}}{_THINGS}|{_FILLER}{{0,3}}{_THINGS} off)\b",
)
NOT_ANY_MORE = (
    # Not any more. "Don't text me back today" and "don't call, text me" are about something else.
    rf"\b{_NOT} (?:ever |please )?{_SEND} {_ME}{_END}",
    rf"\b{_NOT} (?:ever )?send {_FILLER}{{0,5}}(?:{_THINGS}|anything(?: else)?){_END}",
    rf"^(?:please |pls |plz )?no (?:more )?{_FILLER}{{0,3}}{_THINGS}{_END}",
    rf"\b{_NOT} (?:wish|want|need|like|care|consent|agree|wanna|interested)(?: in)?(?: to)?(?: be)? {_FILLER}{{0,6}}{_THINGS}{_END}",
    rf"\b{_NOT} (?:wish|want|need|like|wanna)(?: to)? (?:be on|be in|on) {_LIST}",
)
OFF_THE_LIST = (
    # Off the list. A waiting list is the business's, not the texts'.
    rf"\b(?:take|get|remove|delete|drop|erase|scratch|unlist) {_HOLDS_ME} (?:off|from|out of)(?: of)? {_LIST}",
    rf"\b(?:remove|delete) {_HOLDS_ME} from {_FILLER}{{0,3}}(?:{_THINGS}|everything|all)\b",
    rf"\bget off (?:of )?{_LIST}",
    rf"\b(?:take|get) {_HOLDS_ME} off(?: please| pls| thanks)*$",
    rf"\b(?:remove|delete) {_HOLDS_ME}{_END}",
    r"\blose my number\b",
    rf"\bunsubscribe (?:me|us|from (?:all|this|these|your|everything)|this number)\b|\bhow (?:do|can|to) (?:i )?unsubscribe(?! from the)|\b(?:want|like|need) to unsubscribe{_END}|\bunsubscribe{_END}(?<!to unsubscribe)",
    rf"\bopt (?:me |us )?out (?:of )?(?:{_FILLER}{{0,3}}{_THINGS}|please)|\b(?:want|like|how (?:do|can) i|need) (?:to )?opt out\b(?! (?:of the|fee|policy))",
    r"\b(?:revoke|withdraw) (?:my )?consent\b",
    # Leave me alone.
    r"^(?:please |just |pls |and )*leave (?:me|us) alone(?: please| now)*$",
    r"\bdid ?n(?:o| )?t (?:sign|ask|subscribe)\b.*\b(?:stop|remove)\b|\b(?:never|did not) (?:sign|signed|ask|asked|subscribed?)\b.*\b(?:stop|remove)\b",
    rf"\b(?:wrong (?:number|person)|not interested|no thanks?|no thank you)\b.*\b(?:stop(?: {_SEND})?|remove me|take me off){_END}",
)

# Translations; see above.
SPANISH = (
    r"\bno (?:deseo|quiero) (?:recibir )?(?:mas )?(?:sus )?(?:mensajes|textos|sms)\b",
    r"^(?:por favor )?(?:ya )?no (?:me|nos) (?:manden?|envien?|escriban?|contacten?|molesten?)(?: mas)?(?: (?:mensajes|textos|sms))?(?: por favor)?$",
    r"^(?:por favor )?(?:ya )?no mas(?: (?:mensajes|textos|sms|por favor|gracias))*\W*$",
    r"\bno (?:me |nos )?(?:manden?|mandes|envien?|envies|escriban?|escribas|contacten?|contactes|molesten?|molestes)(?: mas)?(?: (?:mensajes|textos|sms))?(?: mas)?(?: por favor)?\W*$",
    r"\b(?:dejen?|deja|paren|para) de (?:mandar|enviar|escribir|molestar|contactar)(?:me|nos)?\b",
    r"\b(?:ya )?no quiero (?:recibir )?(?:mas )?(?:mensajes|textos|sms)\b",
    r"\b(?:quiten|quitenme|quita|saquen|saquenme|borren|borrenme|eliminenme|elimina)(?:me)? de (?:su|la|esta|esa|tu) lista\b",
    r"\b(?:dame|denme|darme) de baja\b(?! (?:del|de la) (?:clase|gimnasio))",
)
FRENCH = (
    r"\b(?:arretez?|cessez?) de (?:m |nous )?(?:envoyer|ecrire|contacter|harceler)\b",
    r"\bne plus (?:m |me |nous )?(?:envoyer|ecrire|contacter|recevoir)\b(?:(?: (?:de|d|vos|ces))? (?:sms|messages?|textos?))?",
    r"\bsupprimez mon numero\b|^stop (?:aux|les) (?:sms|messages|textos)$",
    r"\bne (?:m |me |nous )?(?:envoyez|envoie|contactez|contacte|ecrivez|ecris)(?: pas| plus)(?: (?:de|d) (?:sms|messages?|textos?))?(?: svp| merci)?\W*$",
    r"\b(?:ne )?(?:veux|souhaite|desire) plus (?:recevoir )?(?:de |vos |ces )?(?:sms|messages?|textos?)\b",
    r"^plus (?:de|aucun) (?:sms|messages?|textos?)(?: svp| merci)?\W*$",
    r"\b(?:retirez|enlevez|supprimez|effacez)(?: moi| mon numero)? (?:moi )?de (?:votre|la|cette) liste\b",
    r"\bdesabonnez moi\b|\b(?:veux|souhaite) me desabonner\b",
    r"^arretez(?: tout| ca| svp| merci)*\W*$",
    r"^laissez moi tranquille\W*$",
)
GERMAN = (
    r"^(?:bitte )?keine? (?:weiteren?|neuen) (?:nachrichten|sms)(?: bitte)?$",
    r"^(?:bitte )?keine? (?:weiteren? )?(?:nachrichten|nachricht|sms|texte)(?: mehr)?(?: bitte)?\W*$",
    r"\b(?:schick\w*|send\w*|schreib\w*)(?: sie)? (?:mir|uns|bitte) ?(?:bitte )?(?:keine (?:nachrichten|sms) mehr|nicht mehr)\b",
    r"\bhor\w*(?: sie| bitte)? auf (?:mir|mich|uns) ?(?:zu (?:schreiben|kontaktieren|nerven)|nachrichten|sms)",
    r"\b(?:mochte|will|wunsche) keine (?:nachrichten|sms|texte) mehr\b",
    r"\b(?:nehm\w*|streich\w*|losch\w*)(?: sie)? mich (?:bitte )?(?:von|aus) (?:der|ihrer|eurer|dieser) liste\b",
    r"\blosch\w*(?: sie)? (?:bitte )?meine nummer\b",
    r"^(?:bitte )?lass(?:t|en sie)? mich in ruhe\W*$",
    r"\babmelden von (?:diesen|den|euren|ihren) (?:nachrichten|sms)\b",
    r"\bkontaktier\w*(?: sie)? mich nicht mehr\b",
)
PORTUGUESE = (
    r"\b(?:nao|n) (?:quero|desejo) (?:mais )?(?:receber )?(?:mais )?(?:mensagens|sms|textos)\b",
    r"\bnao (?:me |nos )?(?:mandem?|mande|enviem?|envie|contatem?|contate|escrevam?)(?: mais)?(?: (?:mensagens|sms))?(?: mais)?\W*$",
    r"\b(?:parem?|pare) de (?:me )?(?:mandar|enviar|escrever|incomodar)\b",
    r"\b(?:me )?(?:tirem?|tira|removam?|remova|retirem?) (?:meu numero )?(?:da|desta|dessa) (?:sua )?lista\b",
    r"^chega de (?:mensagens|sms)\W*$",
)
ITALIAN = (
    r"\bnon voglio (?:piu )?(?:ricevere )?(?:piu )?(?:messaggi|sms)\b",
    r"\bnon (?:mandatemi|mandarmi|inviatemi|inviarmi|scrivetemi|scrivermi|contattatemi|contattarmi)(?: piu)?(?: (?:messaggi|sms))?\W*$",
    r"^basta (?:messaggi|sms|con i messaggi)\W*$",
    r"\bsmett(?:etela|ete|ila|i|ila) di (?:scriver|mandar|inviar|contattar|disturbar)(?:mi|ci)\b",
    r"\b(?:cancellatemi|toglietemi|rimuovetemi|levatemi) (?:dalla|da questa)(?: vostra)? lista\b",
    r"^lasciat?e?mi in pace\W*$",
)
DUTCH = (
    r"\b(?:stuur|stuurt|zend)(?: me| mij| ons)? geen (?:berichten|sms\w*|sms jes) meer\b|^geen (?:berichten|sms\w*|sms jes) meer\b",
    r"\bwil geen (?:berichten|sms\w*|sms jes) meer\b",
    r"\bstop met (?:berichten|sms\w*|sms en|me|mij|het) ?(?:sturen|te sturen|te sms\w*|berichten)?\b",
    r"\bhou(?:d)? op met (?:sms|sms en|berichten|me|mij)\b",
    r"\bhaal (?:me|mij|mijn nummer) van (?:de|deze|jullie|uw) lijst\b",
    r"\bverwijder (?:mijn nummer|me|mij)\b",
    r"^laat (?:me|mij) met rust\W*$",
    r"\bschrijf (?:me|mij) uit\b",
)
POLISH = (
    r"\bnie (?:pisz|piszcie|piszcie|wysylaj|wysylajcie|wysylac|kontaktujcie)(?: (?:do )?(?:mnie|mi))?(?: (?:juz|wiecej|wiadomosci|sms\w*))+\b",
    r"\bprzestan(?:cie)? (?:do mnie )?(?:pisac|wysylac|sms\w*)\b",
    r"\bnie chce (?:juz |wiecej |otrzymywac |dostawac )*(?:wiadomosci|sms\w*)\b",
    r"\busun(?:cie|ac)? (?:mnie|moj numer)(?: z (?:tej )?listy)?\b",
    r"^koniec z (?:sms\w*|wiadomosciami)\W*$",
    r"^daj(?:cie)? mi spokoj\W*$",
)


def words(triggers: str) -> frozenset[str]:
    return frozenset(triggers.split())


GROUPS = tuple(
    (words(triggers), re.compile("|".join(f"(?:{phrase})" for phrase in phrases)))
    for triggers, phrases in (
        ("stop quit ceas disc end canc cut knoc no enou done turn", STOP_IT),
        ("not don dont does neve no wouldn long", NOT_ANY_MORE),
        (
            "take get remo dele drop eras scra unli off lose unsu opt revo with leav wron inte sign ask asked subs than",
            OFF_THE_LIST,
        ),
        ("no dej deje deja pare para quit saqu borr elim dame denm darm baja", SPANISH),
        ("arre cess ne plus reti enle supp effa desa lais veux souh stop", FRENCH),
        ("kein schi send schr hor hort mocht moch will wuns nehm nimm stre losc lass abme kont", GERMAN),
        ("nao n pare tire tira remo reti cheg", PORTUGUESE),
        ("non bast smet canc togl rimu leva lasc", ITALIAN),
        ("geen wil stop hou houd haal verw laat schr", DUTCH),
        ("nie prze usun koni daj dajc", POLISH),
    )
)


THUMBS_DOWN = re.compile(r"\s*\U0001F44E[\U0001F3FB-\U0001F3FF]?\ufe0f?\s*")
GO_ON = re.compile(
    r"\b(?:still|keep|continue)\b[^.!?]*\b(?:texts?|messages?|updates?|reminders?|hearing from us)\b[^.!]*\?",
    re.IGNORECASE,
)


def is_thumbs_down(body: str) -> bool:
    """Whether a text is one thumb down, of any skin, and nothing else."""
    return THUMBS_DOWN.fullmatch(body) is not None


def asks_whether_to_go_on(body: str) -> bool:
    """Whether a text of ours asks people if they still want texts."""
    return GO_ON.search(body) is not None


# The beginnings of words that opt-outs are made of, in any wording: whatever has one is worth a model's look.
HINTS = re.compile(
    r"\b(?:stop|quit|ceas|enough|unsub|desub|remov|delet|eras|list|spam|text|txt|messag|msg|sms|contact|bother|haras|alone|opt|"
    r"subscri|annoy|block|report|leav|done|wrong|never|longer|any ?more|interest|consent|unwant|bugg|pester|junk|lose|send|promo|reply|no m(?:as|ore)|"
    r"mensaj|baja|molest|escrib|mand|envi|dej|desinscr|desuscr|borr|elimin|supr|"  # Spanish
    r"desabon|desinscri|arret|envoy|tranquil|recevoir|ecri|suppr|"  # French
    r"nachricht|abmeld|abbest|losch|schick|schreib|ruhe|kontakt|aufhor|hor|kein|"  # German
    r"mensag|incomod|descadastr|chega|contat|"  # Portuguese
    r"iscri|disiscri|scriv|basta|cancell|contatt|lasci|pace|"  # Italian
    r"bericht|lijst|stuur|afmeld|uitschr|rust|verwijd|schrij|"  # Dutch
    r"wiadom|pis|przest|wypis|usun|spok)\w*"  # Polish
)
OTHER_SCRIPTS = re.compile(r"[^\W\d_a-z]{2}")  # of a text without accents: the phrases know none of them


def may_ask_to_stop(body: str) -> bool:
    """Whether a text has a word that an opt-out might have, or is in a script that the phrases do not read."""
    if not 1 < len(body) <= LONGEST_BODY:
        return False
    said = normalised(body)
    return HINTS.search(said) is not None or OTHER_SCRIPTS.search(said) is not None


def asks_to_stop(body: str) -> bool:
    """Whether somebody asks in their own words to get no more texts."""
    if len(body) > LONGEST_BODY:
        return False  # no SMS
    said = normalised(body)
    spoken = set(said.split())
    spoken |= {word[:4] for word in spoken}
    return any(phrases.search(said) for triggers, phrases in GROUPS if not triggers.isdisjoint(spoken))
