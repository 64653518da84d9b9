"""Say an error of the library in the words of the command line: its options, not the arguments of Python. Pure.

Rule: a quoted value stays as it is, and so do the words of a provider.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_QUOTED_VALUE: Final = r"(?P<quoted>(?<!\w)'[^']*'(?!\w))"

_WORDS_BY_PATTERN: Final[Mapping[str, str]] = MappingProxyType(
    {
        r"looked at the argument api_key, api_key in the config, the environment": "looked at the environment",
        r"api_key in the config|the argument api_key": "--api-key",
        r", or the one passed as api_key": ", or keep another one with `msgmodel keys set`",
        r"use OpenAIConfig\(base_url=\.\.\.\) or register_provider\(\.\.\.\)": "use --base-url URL",
        r'use OpenAIConfig\(api="responses"\)': "use --api responses",
        r"pass base_url in the config": "pass --base-url",
        r"OpenAIConfig\(base_url=(\S+?)\)": r"--base-url \1",
        r"files\[\d+\]: ": "",
        r"tools\[\d+\]: ": "--tool: ",
        r"fallbacks\[\d+\]: ": "--fallback: ",
        r"panels\[\d+\]: ": "--provider: ",
        r"with model= the deployment": "with --model DEPLOYMENT",
        r"model='([^']*)'": r"--model \1",
        r"pass model=": "use --model NAME",
        r"with model=(?=$|])": "with --model",
        r"reasoning='(\w+)'": r"--reasoning \1",
        r"use '(none|low|medium|high)'": r"use --reasoning \1",
        r'api="(\w+)"': r"--api \1",
        r"pass filename= with the right ending": "give it a name with the right ending",
        r"pass a prompt": "write a prompt",
        r"the portable tools are": "name a function of yours as module:function; tools that providers run:",
        r"^output: ": "--schema: ",
        r"pass output=": "use --schema",
        r"pass its data": "attach the file",
        r", or allow more with max_reply_bytes": "",
        r"pass include_usage=False in the config": "only a program can leave it out, by its config",
        r"pass body=\{'(\w+)': \d+\} in the config instead of max_tokens": "leave --max-tokens out",
        r", or send it unchecked by body=\{'tools': \[\.\.\.\]\} in the config": "",
        r"use api_key or headers": "keep the key with `msgmodel keys set`",
        r"\bbase_url\b": "--base-url",
        r"\bmax_tokens\b": "--max-tokens",
        r"\bcontinue_truncated\b": "--continue-truncated",
        r"\bsystem_instruction\b": "--instruction",
        r"(?:^|(?<=leave ))temperature\b": "--temperature",
        r"^timeout\b": "--timeout",
        r"^model\b(?= must| has)": "--model",
        r"^prompt\b(?= is empty)": "the prompt",
        r"^(?:api|reasoning)\b(?= must)": r"--\g<0>",
    }
)
"""What the library writes for programmers, and what says it on the command line. The first pattern that fits wins."""


def words_for_options(message: str) -> str:
    """Return the message of an error with options in the place of arguments.

    Args:
        message: The message of an exception, which names arguments of Python.
    """
    for pattern, words in _WORDS_BY_PATTERN.items():
        message = _replace_outside_quotes(pattern, words, message)
    return message


def words_for_failure(message: str) -> str:
    """Return the message of a `panel_error` with our advice, in brackets at its end, in the words of the options."""
    words, bracket, advice = message.rpartition(" [")
    return f"{words}{bracket}{words_for_options(advice)}" if bracket and advice.endswith("]") else message


def _replace_outside_quotes(pattern: str, words: str, message: str) -> str:
    """Replace a pattern, but not within a quoted value, which a user or a provider chose."""

    def replace(found: re.Match[str]) -> str:
        return found[0] if found["quoted"] else found.expand(words)

    return re.sub(f"(?:{pattern})|{_QUOTED_VALUE}", replace, message)
