"""A bucket of S3, or of anything that speaks its protocol, as the place where pictures are."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from replyline.conversations.media_store import Content, NotKept
from replyline.settings import BadSetting, Settings

if TYPE_CHECKING:
    from obstore.store import S3Store

IN_MEMORY = 256 * 1024  # bytes of one upload; the rest waits in a temporary file
UPLOADS = 4  # at once: an upload is one request, which holds up to 16 MB


def open_bucket(settings: Settings) -> "BucketStore":
    """The bucket that REPLYLINE_MEDIA_URL names. Raises `BadSetting` when what it takes is not installed."""
    try:
        from obstore.store import S3Store
    except ImportError:
        raise BadSetting(
            "REPLYLINE_MEDIA_URL names a bucket, which takes one more package: pip install 'replyline[s3]'."
        ) from None
    where = urlsplit(settings.media_url or "")
    query = dict(parse_qsl(where.query))
    endpoint = query.get("endpoint")
    given: dict[str, Any] = {"region": query.get("region"), "endpoint": endpoint}
    if (settings.aws_access_key_id is None) != (settings.aws_secret_access_key is None):
        raise BadSetting("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY go together; only one of them is set.")
    if settings.aws_access_key_id and settings.aws_secret_access_key:
        given["access_key_id"] = settings.aws_access_key_id
        given["secret_access_key"] = settings.aws_secret_access_key.get_secret_value()
    return BucketStore(
        S3Store(
            where.netloc,
            prefix=where.path.strip("/") or None,
            client_options={
                "allow_http": bool(endpoint and endpoint.startswith("http://")),
                "connect_timeout": timedelta(seconds=5),
                "timeout": timedelta(seconds=20),
            },
            retry_config={"max_retries": 2, "retry_timeout": timedelta(seconds=20)},
            **{name: value for name, value in given.items() if value is not None},
        )
    )


class BucketStore:
    """Keeps each picture as one object."""

    def __init__(self, bucket: "S3Store") -> None:
        self._bucket = bucket
        self._uploads = asyncio.Semaphore(UPLOADS)

    async def put(self, key: str, chunks: AsyncIterator[bytes]) -> None:
        """In one request, once all of it is here: an upload in parts that breaks off leaves parts nobody sees or deletes."""
        import obstore

        with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as file:
            async for chunk in chunks:
                await asyncio.to_thread(file.write, chunk)
            file.seek(0)
            async with self._uploads:
                await obstore.put_async(self._bucket, key, file, use_multipart=False)

    async def open(self, key: str) -> Content:
        import obstore

        try:
            found = await obstore.get_async(self._bucket, key)
        except FileNotFoundError:
            raise NotKept from None
        return Content(size=found.meta["size"], chunks=bytes_of(found))

    async def delete(self, key: str) -> None:
        import obstore

        with contextlib.suppress(FileNotFoundError):
            await obstore.delete_async(self._bucket, key)

    async def close(self) -> None:
        pass


async def bytes_of(found: Any) -> AsyncIterator[bytes]:
    async for chunk in found.stream():
        yield bytes(chunk)
