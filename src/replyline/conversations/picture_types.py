"""What the first bytes of a file show it to be. What a header claims is not believed."""

ENOUGH = 64  # bytes to look at
UNKNOWN = "application/octet-stream"

# What models and browsers can show. Of other attachments the model is told that they are there.
VISIBLE = {"image/jpeg", "image/png", "image/gif", "image/webp"}


def type_of(first: bytes) -> str:
    """The type of content that begins like this."""
    for magic, content_type in BEGINNINGS:
        if first.startswith(magic):
            return content_type
    if first[:4] == b"RIFF":
        return IN_RIFF.get(first[8:12], UNKNOWN)
    if first[4:8] == b"ftyp":
        return IN_MP4.get(first[8:11], "video/mp4")
    return UNKNOWN


BEGINNINGS = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"BM", "image/bmp"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"%PDF-", "application/pdf"),
    (b"BEGIN:VCARD", "text/vcard"),
    (b"BEGIN:VCALENDAR", "text/calendar"),
    (b"#!AMR", "audio/amr"),
    (b"OggS", "audio/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"\x1a\x45\xdf\xa3", "video/webm"),
)
IN_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/vnd.wave"}
# By the first three letters of the brand: heic, heix and heim are all HEIC, 3gp4 to 3gp9 all 3GPP.
IN_MP4 = {
    b"hei": "image/heic",
    b"mif": "image/heif",
    b"3gp": "video/3gpp",
    b"3g2": "video/3gpp2",
    b"avi": "image/avif",
    b"qt ": "video/quicktime",
    b"M4A": "audio/mp4",
}
