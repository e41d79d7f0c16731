from urllib.parse import urlencode

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from replyline.twilio.form import parse_form
from replyline.twilio.signature import is_signed, sign

# Vectors that the libraries of several languages publish.
PUBLISHED_TOKEN = "12345"
PAGE = "https://mycompany.com/myapp.php?foo=1&bar=2"
CALL = [
    ("CallSid", "CA1234567890ABCDE"),
    ("Caller", "+14158675309"),
    ("Digits", "1234"),
    ("From", "+14158675309"),
    ("To", "+18005551212"),
]
REPEATED = [("Sid", "CA123"), ("SidAccount", "AC123"), ("Digits", "5678"), ("Digits", "1234"), ("Digits", "1234")]
BLANK = [("Digits", ""), ("CallSid", "CA1234567890ABCDE"), ("EmptyParam", "")]
SPECIAL = [("Message", "Hello & goodbye! @#$%^*()"), ("From", "+1 (415) 867-5309"), ("Special", "unicode: ñáéíóú")]
JSON_PAGE = f"{PAGE}&bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"

# Vectors of our own: a real inbound text's field set.
TOKEN = "0123456789abcdef0123456789abcdef"
HOOK = "https://sms.example.test/hooks/twilio/inbound"
BODY = (
    b"ToCountry=US&ToState=CA&SmsMessageSid=SM00000000000000000000000000000001&NumMedia=0&ToCity=&FromZip="
    b"&SmsSid=SM00000000000000000000000000000001&FromState=NY&SmsStatus=received&FromCity=NEW+YORK"
    b"&Body=Hi+%2B+bye+%F0%9F%91%8B&FromCountry=US&To=%2B14155550100&ToZip=&NumSegments=1"
    b"&MessageSid=SM00000000000000000000000000000001&AccountSid=AC00000000000000000000000000000001"
    b"&From=%2B12125550123&ApiVersion=2010-04-01"
)
STATUS_BODY = (
    b"AccountSid=AC00000000000000000000000000000001&ApiVersion=2010-04-01&From=%2B14155550100"
    b"&MessageSid=SM00000000000000000000000000000002&MessageStatus=undelivered&ErrorCode=30003"
    b"&SmsSid=SM00000000000000000000000000000002&SmsStatus=undelivered&To=%2B12125550123&RawDlrDoneDate=2611231405"
)
FIELDS = parse_form(BODY)
JSON_HOOK = f"{HOOK}?bodySHA256=015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862"

VECTORS = [
    (PUBLISHED_TOKEN, PAGE, CALL, "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
    (PUBLISHED_TOKEN, "https://mycompany.com:443/myapp.php?foo=1&bar=2", CALL, "kvajT1Ptam85bY51eRf/AJRuM3w="),
    (PUBLISHED_TOKEN, "http://mycompany.com:1234/myapp.php?foo=1&bar=2", CALL, "Zmvh+3yNM1Phv2jhDCwEM3q5ebU="),
    (PUBLISHED_TOKEN, PAGE, REPEATED, "IK+Dwps556ElfBT0I3Rgjkr1wJU="),
    (PUBLISHED_TOKEN, JSON_PAGE, [], "a9nBmqA0ju/hNViExpshrM61xv4="),
    (PUBLISHED_TOKEN, PAGE, BLANK, "9HHp/OqQMEwdrVebHDdA/+tqjX8="),
    (PUBLISHED_TOKEN, PAGE, SPECIAL, "dCPiR4WtQ6QFN6pJh81CtlCcWLQ="),
    (TOKEN, HOOK, FIELDS, "GpEM689QSpZ43oe4InogRQknfto="),
    (TOKEN, f"{HOOK}?tenant=a%20b&x=1", FIELDS, "7C2DQ1SBi4YcZETefwKkS1XKTdg="),
    (TOKEN, "https://sms.example.test:8443/hooks/twilio/inbound", FIELDS, "+FIX4uuFBW+ZEYh+ZyyujGIwBKI="),
    (TOKEN, "https://sms.example.test:443/hooks/twilio/inbound", FIELDS, "aGubFgy/o4Qbfh6i+Ttwc/q7o1Q="),
    (TOKEN, f"{HOOK}?{BODY.decode()}", [], "FKFyY6UDPulLpsw3bkG/jVtaidQ="),
    (TOKEN, JSON_HOOK, [], "OtCICxv/eTGV2BTis485iaDCooE="),
    (TOKEN, "https://sms.example.test/hooks/twilio/status", parse_form(STATUS_BODY), "8NGDl0Ni27v8Ah4N4ax4XE4w+j4="),
]


@pytest.mark.parametrize(("token", "url", "params", "signature"), VECTORS)
def test_the_published_vectors_are_signed_and_accepted(token, url, params, signature):
    assert sign(token, url, params) == signature
    assert is_signed([token], url, params, signature)


def test_blank_fields_are_part_of_what_is_signed():
    without_blanks = [(name, value) for name, value in FIELDS if value]
    assert sign(TOKEN, HOOK, without_blanks) == "vkLBHVULqNmf+YngWK5of9s2RBU="
    assert not is_signed([TOKEN], HOOK, without_blanks, "GpEM689QSpZ43oe4InogRQknfto=")


@pytest.mark.parametrize(
    ("told", "signed"),
    [
        ("https://h.test/p?q=1", "https://h.test:443/p?q=1"),
        ("https://h.test:443/p?q=1", "https://h.test/p?q=1"),
        ("http://h.test/p", "http://h.test:80/p"),
        ("https://h.test:8443/p", "https://h.test/p"),
        ("https://h.test/p#rc=3&rp=5xx,ct,rt", "https://h.test/p"),
        ("https://user:pass@h.test/p", "https://h.test/p"),
        ("https://user:p@ss@h.test:8443/p@q", "https://h.test:8443/p@q"),
        ("https://[2001:db8::1]:8443/p", "https://[2001:db8::1]/p"),
        ("https://[2001:db8::1]/p", "https://[2001:db8::1]:443/p"),
        ("https://h.test", "https://h.test:443"),
        ("https://h.test?a=b@c", "https://h.test:443?a=b@c"),
    ],
)
def test_port_fragment_and_user_do_not_matter(told, signed):
    signature = RequestValidator(TOKEN).compute_signature(signed, dict(FIELDS))
    assert is_signed([TOKEN], told, FIELDS, signature)


@pytest.mark.parametrize(
    ("told", "signed"),
    [
        ("https://h.test/p", "https://h.test/p/"),
        ("https://h.test/p", "http://h.test/p"),
        ("https://h.test/p", "https://h.test/p?"),
        ("https://h.test/p?q=a%20b", "https://h.test/p?q=a b"),
        ("https://h.test:8443/p", "https://h.test:443/p"),
    ],
)
def test_every_other_difference_of_the_url_does(told, signed):
    assert not is_signed([TOKEN], told, FIELDS, sign(TOKEN, signed, FIELDS))


def test_either_token_is_accepted_while_one_is_rotated():
    assert is_signed(["new", TOKEN], HOOK, FIELDS, sign(TOKEN, HOOK, FIELDS))
    assert is_signed([TOKEN, "new"], HOOK, FIELDS, sign(TOKEN, HOOK, FIELDS))


@pytest.mark.parametrize("tokens", [[], [""], ["another"]])
def test_nothing_is_signed_without_the_right_token(tokens):
    assert not is_signed(tokens, HOOK, FIELDS, sign(TOKEN, HOOK, FIELDS))
    assert not is_signed(tokens, HOOK, FIELDS, sign("", HOOK, FIELDS))


@pytest.mark.parametrize("signature", ["", "x", "é" * 28, "\udcff", "GpEM689QSpZ43oe4InogRQknfto", "A" * 10_000])
def test_a_malformed_signature_is_refused(signature):
    assert not is_signed([TOKEN], HOOK, FIELDS, signature)


names = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=12)
forms = st.dictionaries(names, st.text(max_size=20), max_size=20)


@given(form=forms)
def test_what_twilios_own_library_signs_is_accepted_as_it_came_over_the_wire(form):
    signature = RequestValidator(TOKEN).compute_signature(HOOK, form)
    assert sign(TOKEN, HOOK, form.items()) == signature
    assert is_signed([TOKEN], HOOK, parse_form(urlencode(form).encode()), signature)


@given(form=forms)
def test_twilios_own_library_accepts_what_we_sign(form):
    assert RequestValidator(TOKEN).validate(HOOK, form, sign(TOKEN, HOOK, form.items()))


@given(form=forms.filter(bool), data=st.data())
def test_one_field_changed_added_or_dropped_is_refused(form, data):
    signature = RequestValidator(TOKEN).compute_signature(HOOK, form)
    field = data.draw(st.sampled_from(sorted(form)))
    other = dict(form)
    match data.draw(st.sampled_from(["change", "add", "drop"])):
        case "change":
            other[field] = data.draw(st.text(max_size=20))
        case "add":
            other[data.draw(names)] = data.draw(st.text(max_size=20))
        case _:
            del other[field]
    # Names and values have nothing between them, so a few different forms are one text: Twilio's scheme, not ours.
    assume(signed_text(other) != signed_text(form))
    assert not is_signed([TOKEN], HOOK, other.items(), signature)


def signed_text(form: dict[str, str]) -> str:
    return "".join(name + form[name] for name in sorted(form))
