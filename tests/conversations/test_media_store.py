"""A folder and a bucket keep pictures alike."""

import secrets
from pathlib import Path

import pytest
from tests.support.s3_server import s3_server

from replyline.conversations.media_store import FolderStore, NotKept, in_chunks, open_store, read_all
from replyline.settings import BadSetting, read_settings

MB = 1024 * 1024
KEY = "0198c2/med_0198c2aa"


@pytest.fixture(scope="module")
def s3_url():
    with s3_server("pictures") as url:
        yield url


@pytest.fixture(params=["folder", "bucket"])
async def store(request, tmp_path):
    """A store of its own for each test."""
    if request.param == "folder":
        environment = {"REPLYLINE_MEDIA_DIR": str(tmp_path / "media")}
    else:
        environment = in_bucket(request.getfixturevalue("s3_url"))
    store = open_store(read_settings(environment, dotenv=None))
    yield store
    await store.close()


def in_bucket(url):
    place = f"s3://pictures/{secrets.token_hex(4)}/mms?region=us-east-1&endpoint={url}"
    return {"REPLYLINE_MEDIA_URL": place, "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}


async def pieces(*content):
    for each in content:
        yield each


async def broken_off(*content):
    for each in content:
        yield each
    raise ConnectionResetError


async def test_what_was_put_is_there(store):
    await store.put(KEY, pieces(b"one ", b"two"))
    assert await read_all(store, KEY) == b"one two"
    assert (await store.open(KEY)).size == 7


async def test_a_large_picture_is_kept_whole(store):
    content = secrets.token_bytes(MB) * 12
    await store.put(KEY, pieces(*(content[n : n + 65_536] for n in range(0, len(content), 65_536))))
    assert await read_all(store, KEY) == content


async def test_the_second_of_a_key_takes_the_place_of_the_first(store):
    await store.put(KEY, in_chunks(b"first, and longer"))
    await store.put(KEY, in_chunks(b"second"))
    assert await read_all(store, KEY) == b"second"


async def test_what_broke_off_was_never_there(store):
    with pytest.raises(ConnectionResetError):
        await store.put(KEY, broken_off(b"half"))
    with pytest.raises(NotKept):
        await store.open(KEY)


async def test_what_broke_off_leaves_what_was_there(store):
    await store.put(KEY, in_chunks(b"whole"))
    with pytest.raises(ConnectionResetError):
        await store.put(KEY, broken_off(b"half"))
    assert await read_all(store, KEY) == b"whole"


async def test_what_was_never_put_is_not_kept(store):
    with pytest.raises(NotKept):
        await store.open("0198c2/med_other")


async def test_a_second_process_finds_what_the_first_has_kept(s3_url):
    settings = read_settings(in_bucket(s3_url), dotenv=None)
    await open_store(settings).put(KEY, in_chunks(b"shared"))
    assert await read_all(open_store(settings), KEY) == b"shared"


@pytest.mark.parametrize("key", ["../secret", "a/../../secret", "/etc/passwd"])
async def test_no_key_leads_out_of_the_folder(key, tmp_path):
    (tmp_path / "secret").write_text("secret")
    store = FolderStore(tmp_path / "media")
    with pytest.raises(NotKept):
        await store.open(key)
    with pytest.raises(NotKept):
        await store.put(key, in_chunks(b"mine"))
    assert (tmp_path / "secret").read_text() == "secret"


async def test_what_a_killed_process_left_half_written_is_cleared_away(tmp_path):
    store = FolderStore(tmp_path)
    await store.put(KEY, in_chunks(b"whole"))
    half = tmp_path / "coming" / f"{KEY.replace('/', '-')}.0123"
    half.write_bytes(b"half")
    await store.put(KEY, in_chunks(b"whole again"))
    assert files_below(tmp_path) == [tmp_path / KEY]


async def test_a_picture_that_breaks_off_leaves_no_file(tmp_path):
    with pytest.raises(ConnectionResetError):
        await FolderStore(tmp_path).put(KEY, broken_off(b"half"))
    assert files_below(tmp_path) == []


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    "url", ["bucket/prefix", "https://bucket.example/", "s3://", "s3://key:secret@bucket", "s3://bucket?acl=public"]
)
def test_an_address_of_a_bucket_that_cannot_be_read_is_said_at_the_start(url):
    with pytest.raises(BadSetting, match=r"^REPLYLINE_MEDIA_URL is not usable"):
        read_settings({"REPLYLINE_MEDIA_URL": url}, dotenv=None)


def test_half_a_key_to_a_bucket_is_said_at_the_start():
    settings = read_settings({"REPLYLINE_MEDIA_URL": "s3://bucket", "AWS_ACCESS_KEY_ID": "key"}, dotenv=None)
    with pytest.raises(BadSetting, match="AWS_SECRET_ACCESS_KEY"):
        open_store(settings)


async def test_what_was_deleted_is_gone_and_deleting_it_again_is_fine(store):
    await store.put(KEY, pieces(b"one"))
    await store.delete(KEY)
    with pytest.raises(NotKept):
        await store.open(KEY)
    await store.delete(KEY)
