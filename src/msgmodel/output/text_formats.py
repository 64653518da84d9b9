"""The formats of strings that JSON schemas name, as far as they can be checked without the network. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, time
from ipaddress import IPv4Address, IPv6Address

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_TIME = re.compile(r"\d{2}:\d{2}:\d{2}(\.\d+)?([zZ]|[+-]\d{2}:\d{2})?", re.ASCII)
_DURATION = re.compile(
    r"P(?!$)(\d+W|(\d+Y)?(\d+M)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?)", re.ASCII
)  # ISO 8601, with a fraction of a second, as Python's libraries write it
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_HOSTNAME = re.compile(
    r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*", re.I
)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)
_URI = re.compile(r"[a-z][a-z0-9+.-]*:[^\s<>\"{}|\\^`]*", re.I)


def _parses(parse: Callable[[str], object], shape: re.Pattern[str] | None = None) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        if shape is not None and not shape.fullmatch(text):
            return False
        try:
            parse(text)
        except ValueError:
            return False
        return True

    return check


def _matches(shape: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda text: shape.fullmatch(text) is not None


def _is_moment(text: str) -> bool:
    """Return whether a text is a date and a time (RFC 3339; the offset may be absent, as in many a reply)."""
    day, separator, clock = text[:10], text[10:11], text[11:]
    return separator in ("T", "t", " ") and FORMAT_CHECKS["date"](day) and FORMAT_CHECKS["time"](clock)


def _parse_time(text: str) -> object:
    hour, minute, second = int(text[:2]), int(text[3:5]), int(text[6:8])
    return time(hour, minute, min(second, 59) if second == 60 else second)  # a leap second is a time


FORMAT_CHECKS: dict[str, Callable[[str], bool]] = {
    "date": _parses(date.fromisoformat, _DATE),
    "time": _parses(_parse_time, _TIME),
    "date-time": _is_moment,
    "duration": _matches(_DURATION),
    "email": _matches(_EMAIL),
    "hostname": _matches(_HOSTNAME),
    "ipv4": _parses(IPv4Address),
    "ipv6": _parses(IPv6Address),
    "uuid": _matches(_UUID),
    "uri": _matches(_URI),
}
"""Whether a string has a format."""

FORMAT_WORDS = {
    "date": "a date such as 2026-11-30",
    "time": "a time such as 17:30:00Z",
    "date-time": f"a date and time such as {datetime(2026, 11, 30, 17, 30).isoformat()}Z",
    "duration": "a duration such as PT1H30M",
    "email": "an email address",
    "hostname": "the name of a host",
    "ipv4": "an IPv4 address",
    "ipv6": "an IPv6 address",
    "uuid": "a UUID",
    "uri": "a URI with a scheme",
}
"""What is wanted, in words."""
