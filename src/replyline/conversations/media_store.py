"""Where the bytes of pictures are: a folder, or a bucket of anything that speaks S3's protocol."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from replyline.errors import ReplylineError
from replyline.settings import Settings

CHUNK = 256 * 1024
OURS = "own/"  # begins the keys of pictures of ours: several processes may put the same one there at the same moment


class NotKept(ReplylineError):
    """Nothing is kept under this key."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    """What is kept under a key: how much, and its bytes as they are read."""

    size: int
    chunks: AsyncIterator[bytes]


class MediaStore(Protocol):
    """Keeps bytes under keys such as `0198c2/med_0198c2…`: small letters, digits, `_`, `-` and `/`."""

    async def put(self, key: str, chunks: AsyncIterator[bytes]) -> None:
        """Keep these bytes in place of what was there. They are safe, and whole, when it returns; else nothing is new."""

    async def open(self, key: str) -> Content:
        """What is kept. Raises `NotKept`."""

    async def delete(self, key: str) -> None:
        """Keep it no longer; fine when it is not there. It is gone when this returns."""

    async def close(self) -> None:
        """Let go of connections."""


def open_store(settings: Settings) -> MediaStore:
    """The store that the settings name."""
    if settings.media_url is None:
        return FolderStore(settings.media_dir)
    from replyline.conversations.s3_store import open_bucket

    return open_bucket(settings)


async def read_all(store: MediaStore, key: str) -> bytes:
    """The bytes kept under a key, in one piece. Raises `NotKept`."""
    return b"".join([chunk async for chunk in (await store.open(key)).chunks])


async def in_chunks(content: bytes) -> AsyncIterator[bytes]:
    """Bytes that are in memory already, for `put`."""
    yield content


class FolderStore:
    """A folder of this machine, or one that all processes share."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def put(self, key: str, chunks: AsyncIterator[bytes]) -> None:
        """Written beside and renamed, so no half file is ever read."""
        target = self._at(key)
        beside = await asyncio.to_thread(self._begin, key)
        try:
            with await asyncio.to_thread(beside.open, "xb") as file:
                async for chunk in chunks:
                    await asyncio.to_thread(file.write, chunk)
                await asyncio.to_thread(settle, file, beside, target)
        finally:
            beside.unlink(missing_ok=True)

    async def open(self, key: str) -> Content:
        target = self._at(key)
        try:
            size = (await asyncio.to_thread(target.stat)).st_size
        except FileNotFoundError:
            raise NotKept from None
        return Content(size=size, chunks=chunks_of(target))

    async def delete(self, key: str) -> None:
        await asyncio.to_thread(remove, self._at(key))

    async def close(self) -> None:
        pass

    def _at(self, key: str) -> Path:
        target = self._folder / key
        if not target.resolve().is_relative_to(self._folder.resolve()):
            raise NotKept
        return target

    def _begin(self, key: str) -> Path:
        """A new file to write to, after clearing away what a process that died has left of the same key.

        What arrives is put there by one worker at a time, so whatever else is there of it was left.
        """
        coming = self._folder / "coming"
        coming.mkdir(parents=True, exist_ok=True)
        name = key.replace("/", "-")
        for left in coming.glob(f"{name}.*") if not key.startswith(OURS) else ():
            left.unlink(missing_ok=True)
        return coming / f"{name}.{secrets.token_hex(8)}"


def settle(file: BinaryIO, beside: Path, target: Path) -> None:
    """Put a written file in its place, and see to it that a power cut finds it there."""
    file.flush()
    os.fsync(file.fileno())
    target.parent.mkdir(parents=True, exist_ok=True)
    beside.replace(target)
    for folder in (target.parent, target.parent.parent):
        settle_folder(folder)


def settle_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove(target: Path) -> None:
    """Delete a file so that a power cut does not bring it back."""
    try:
        target.unlink()
    except FileNotFoundError:
        return
    settle_folder(target.parent)


async def chunks_of(path: Path) -> AsyncIterator[bytes]:
    with await asyncio.to_thread(path.open, "rb") as file:
        while chunk := await asyncio.to_thread(file.read, CHUNK):
            yield chunk
