"""Fetching pictures: what may be reached, with what, and how much of it."""

import asyncio
import contextlib
import gzip
import socket

import pytest
from tests.support.raw_server import ok, raw_server, to

from replyline.desk import bound_socket
from replyline.twilio.media import Elsewhere, Limits, MediaAway, MediaFetcher, MediaRefused
from replyline.twilio.outside import is_outside

MB = 1024 * 1024
PNG = b"\x89PNG\r\n\x1a\n"
MEDIA = "/2010-04-01/Accounts/AC1/Messages/MM1/Media/ME1"


@pytest.fixture
async def twilio():
    """Twilio's API, as a server that sends what it is told to."""
    async with raw_server() as server:
        yield server


@pytest.fixture
async def make_fetcher(twilio):
    made = []

    def make(**given):
        made.append(MediaFetcher(username="AC1", password="secret", api_url=twilio.url, **given))
        return made[-1]

    yield make
    for fetcher in made:
        await fetcher.close()


async def fetched(fetcher, url):
    async with fetcher.open(url) as chunks:
        return b"".join([chunk async for chunk in chunks])


async def test_twilio_is_asked_with_our_credentials_and_for_nothing_compressed(twilio, make_fetcher):
    twilio.answers[MEDIA] = ok(PNG)
    assert await fetched(make_fetcher(), twilio.url + MEDIA) == PNG
    assert "Authorization: Basic" in twilio.asked[0]
    assert "Accept-Encoding: identity" in twilio.asked[0]


INSIDE = [
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.254", "192.168.1.1",
    "169.254.169.254",  # what a cloud tells a machine about itself, keys included
    "100.64.0.1", "100.100.100.200",  # carrier-grade NAT, and Alibaba's 169.254.169.254
    "168.63.129.16", "192.0.0.192",  # Azure's and Oracle's, public by number
    "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.2.1",
    "::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "2001:db8::1",
    "::ffff:127.0.0.1", "::ffff:a9fe:a9fe", "::ffff:0:0", "::127.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1",  # IPv4 behind a translator
    "2002:7f00:1::", "2002:a9fe:a9fe::1", "2001:0:4136:e378:8000:63bf:80ff:fffe",  # IPv4 in 6to4 and Teredo
]  # fmt: skip


@pytest.mark.parametrize("address", INSIDE)
async def test_a_redirect_into_our_own_network_is_refused(address, twilio, make_fetcher):
    host = f"[{address}]" if ":" in address else address
    twilio.answers[MEDIA] = to(f"https://{host}/latest/meta-data/")
    with pytest.raises(MediaRefused, match="private network"):
        await fetched(make_fetcher(), twilio.url + MEDIA)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"]
)
def test_what_everybody_on_the_internet_reaches_is_outside(address):
    assert is_outside(address)


async def test_a_name_is_judged_by_the_address_that_is_connected_to(twilio, make_fetcher):
    twilio.answers[MEDIA] = to("https://localhost/")
    with pytest.raises(MediaRefused, match="private network"):
        await fetched(make_fetcher(), twilio.url + MEDIA)


async def test_a_redirect_in_the_middle_of_several_is_judged_like_the_last(twilio, make_fetcher):
    twilio.answers |= {MEDIA: to(f"{twilio.url}/second"), "/second": to("https://10.0.0.1/third")}
    with pytest.raises(MediaRefused, match="private network"):
        await fetched(make_fetcher(), twilio.url + MEDIA)
    assert len(twilio.asked) == 2


@pytest.mark.parametrize(
    "location",
    [
        "http://8.8.8.8/picture",  # no TLS
        "https://8.8.8.8:22/",
        "https://8.8.8.8:6379/",
        "ftp://8.8.8.8/picture",
        "file:///etc/passwd",
        "gopher://8.8.8.8/",
        "https://someone:secret@8.8.8.8/",
        "https://2130706433/",  # 127.0.0.1 as one number
        "https://127.1/",
        "https://0x7f.0.0.1/",
        f"https://{'a' * 64}.example/",  # no name has a part of 64 letters
        "https://a..example/",
        "https://\xe9" + "a" * 70 + ".example/",
        "https://",
        "https://[::1",
        "//",
        "",
    ],
)
async def test_a_redirect_to_anything_but_https_on_its_port_is_refused(location, twilio, make_fetcher):
    twilio.answers[MEDIA] = to(location)
    with pytest.raises(MediaRefused):
        await fetched(make_fetcher(), twilio.url + MEDIA)


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/2010-04-01/Media/ME1",
        "http://127.0.0.1:1/2010-04-01/Media/ME1",
        "http://someone@{host}/Media/ME1",
        "http://someone:secret@{host}/Media/ME1",
        "https://{host}/Media/ME1",
        "http://evil.example\\@{host}/",
        "http://{host}.evil.example/",
        "//{host}/Media/ME1",
        "not an address",
        "",
    ],
)
async def test_our_credentials_go_to_no_address_but_twilios(url, twilio, make_fetcher):
    with pytest.raises(MediaRefused, match="not at Twilio's API"):
        await fetched(make_fetcher(), url.format(host=twilio.url.removeprefix("http://")))
    assert twilio.asked == []


@pytest.fixture
async def storage():
    """Where Twilio's API redirects to."""
    async with raw_server() as server:
        yield server


ON_THIS_MACHINE = Elsewhere(may_lead_to=lambda url: True, connect=lambda found: socket.socket(*found[:3]))


async def test_the_storage_that_twilio_redirects_to_never_sees_our_credentials(twilio, storage, make_fetcher):
    twilio.answers[MEDIA] = to(f"{storage.url}/bucket/picture?signature=a%2Fb%3D")
    storage.answers["/bucket/picture?signature=a%2Fb%3D"] = ok(PNG)
    assert await fetched(make_fetcher(elsewhere=ON_THIS_MACHINE), twilio.url + MEDIA) == PNG
    assert "Authorization" not in storage.asked[0]


async def test_a_picture_whose_link_has_run_out_is_asked_for_again_later(twilio, storage, make_fetcher):
    twilio.answers[MEDIA] = to(f"{storage.url}/picture")
    storage.answers["/picture"] = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
    with pytest.raises(MediaAway):
        await fetched(make_fetcher(elsewhere=ON_THIS_MACHINE), twilio.url + MEDIA)


async def test_redirects_end_after_three(twilio, make_fetcher):
    twilio.answers[MEDIA] = to(twilio.url + MEDIA)
    with pytest.raises(MediaRefused, match="too often"):
        await fetched(make_fetcher(), twilio.url + MEDIA)
    assert len(twilio.asked) == 4


async def test_a_picture_that_says_it_is_too_large_is_not_read(twilio, make_fetcher):
    twilio.answers[MEDIA] = ok(PNG, length=17 * MB)
    with pytest.raises(MediaRefused, match="larger than 16 MB"):
        await fetched(make_fetcher(), twilio.url + MEDIA)


async def test_a_picture_that_says_nothing_of_its_size_is_cut_off(twilio, make_fetcher):
    async def pour(writer):
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        await twilio.pour(writer, 1000)  # 62 MB

    twilio.answers[MEDIA] = pour
    with pytest.raises(MediaRefused, match="larger than 1 MB"):
        await fetched(make_fetcher(limits=Limits(largest=MB)), twilio.url + MEDIA)
    assert twilio.sent < 10 * MB  # what the sockets' buffers took, too


@pytest.mark.parametrize(
    "headers",
    ["Content-Length: 8", "Content-Length: 8\r\nConnection: close", "Content-Length: 8\r\nTransfer-Encoding: chunked"],
)
async def test_a_picture_that_claims_to_be_small_and_is_not_is_cut_off(headers, twilio, make_fetcher):
    async def pour(writer):
        writer.write(f"HTTP/1.1 200 OK\r\n{headers}\r\n\r\n".encode())
        await twilio.pour(writer, 1000, b"10000\r\n" + b"x" * 65536 + b"\r\n")

    twilio.answers[MEDIA] = pour
    with contextlib.suppress(MediaAway):  # or it is as long as it said, and no longer
        assert len(await fetched(make_fetcher(), twilio.url + MEDIA)) == 8
    assert twilio.sent < 10 * MB


async def test_what_was_sent_beyond_a_picture_does_not_begin_the_next(twilio, storage, make_fetcher):
    twilio.answers[MEDIA] = to(f"{storage.url}/picture")
    storage.answers["/picture"] = ok(PNG) + ok(b"smuggled")
    fetcher = make_fetcher(elsewhere=ON_THIS_MACHINE)
    assert [await fetched(fetcher, twilio.url + MEDIA) for _ in range(2)] == [PNG, PNG]


async def test_a_picture_that_ends_too_soon_is_asked_for_again_later(twilio, make_fetcher):
    twilio.answers[MEDIA] = ok(PNG, length=1000)
    with pytest.raises(MediaAway):
        await fetched(make_fetcher(), twilio.url + MEDIA)


async def test_a_picture_that_comes_in_drops_is_given_up_in_time(twilio, make_fetcher):
    async def drip(writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while True:
            await twilio.pour(writer, 1, b"x")
            await asyncio.sleep(0.02)

    twilio.answers[MEDIA] = drip
    async with asyncio.timeout(5):
        with pytest.raises(MediaAway, match="too long"):
            await fetched(make_fetcher(limits=Limits(seconds=0.3)), twilio.url + MEDIA)


async def test_nothing_is_unpacked(twilio, make_fetcher):
    twilio.answers[MEDIA] = ok(gzip.compress(b"\0" * MB), "Content-Encoding: gzip")
    with pytest.raises(MediaRefused, match="compressed"):
        await fetched(make_fetcher(), twilio.url + MEDIA)


async def test_only_so_many_pictures_come_at_once(twilio, make_fetcher):
    async def slow(writer):
        await asyncio.sleep(0.02)
        writer.write(ok(PNG))

    twilio.answers[MEDIA] = slow
    fetcher = make_fetcher(limits=Limits(at_once=3))
    await asyncio.gather(*(fetched(fetcher, twilio.url + MEDIA) for _ in range(12)))
    assert twilio.most_open == 3


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
async def test_a_twilio_in_trouble_is_asked_again_later(status, twilio, make_fetcher):
    twilio.answers[MEDIA] = f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode()
    with pytest.raises(MediaAway):
        await fetched(make_fetcher(), twilio.url + MEDIA)


async def test_a_picture_that_is_not_there_is_not_asked_for_again(twilio, make_fetcher):
    with pytest.raises(MediaRefused, match="404"):
        await fetched(make_fetcher(), twilio.url + MEDIA)


async def test_a_twilio_that_cannot_be_reached_is_asked_again_later():
    with bound_socket() as deaf:  # bound, and not listening
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        fetcher = MediaFetcher(username="AC1", password="secret", api_url=url)
        with pytest.raises(MediaAway):
            await fetched(fetcher, url + MEDIA)
        await fetcher.close()
