"""Parts of a reply that are not text, as an address and a media type that a browser may be given.

Rule: an address is http, https or a data: URL. A media type that is malformed, or that a browser would run as a page,
becomes `application/octet-stream`.
"""

from __future__ import annotations

import re
from typing import Final

from ..events import PanelPart
from ..messages import MediaPart

_MEDIA_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9.+-]{0,60}/[a-z0-9][a-z0-9.+-]{0,100}")
_BINARY: Final = "application/octet-stream"
_PAGES: Final = ("text/html", "application/xhtml+xml", "text/xml", "application/xml", "text/javascript")


def address_and_type(part: PanelPart | MediaPart) -> tuple[str, str] | None:
    """Return where a client finds the bytes of a part, and their media type; None if only the provider has them."""
    media_type = _safe_type(part["media_type"])
    if "data" in part:
        return f"data:{media_type};base64,{part['data']}", media_type
    url = part.get("url", "")
    head, comma, data = url.partition(",")
    if comma and head[:5].lower() == "data:" and head.lower().endswith(";base64"):
        media_type = _safe_type(part["media_type"] or head[5:-7])
        return f"data:{media_type};base64,{data}", media_type
    return (url, media_type) if url[:8].lower().startswith(("http://", "https://")) else None


def _safe_type(media_type: str | None) -> str:
    name = (media_type or "").lower()
    return name if _MEDIA_TYPE.fullmatch(name) and name not in _PAGES else _BINARY
