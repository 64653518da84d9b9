"""Ask a question about each line of a text, within a budget, and write the answers as JSON lines.

pip install 'msgmodel[cost]' && OPENAI_API_KEY=... python examples/many_prompts.py 0.05 openai < words.txt

Ctrl-C writes what is there. The exit code is 1 if an answer is missing or cut off.
"""

import json
import sys

from msgmodel import LLMResponse, MsgModelError, PromptResult, PromptsInterrupted, map_prompts


def main(max_cost: float, provider: str) -> int:
    """Print a line for each line of standard input, and return the exit code."""
    lines = [line.strip() for line in sys.stdin if line.strip()]
    try:
        results = map_prompts(
            [f"Translate into French, one word only: {line}" for line in lines], provider, max_cost=max_cost
        )
    except PromptsInterrupted as stopped:
        results = stopped.results
    except MsgModelError as error:  # nothing was asked: there is no key, or a price is unknown
        sys.exit(str(error))
    for line, result in zip(lines, results, strict=True):
        print(json.dumps({"line": line, **describe(result)}))
    return int(any(describe(result)["end"] != "complete" for result in results))


def describe(result: PromptResult) -> dict[str, str]:
    """Return the text, and how it ended."""
    if isinstance(result, LLMResponse):
        return {"text": result.text, "end": result.truncated_by or result.status}
    return {"text": result.content, "end": result.code}


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: many_prompts.py MAX_COST PROVIDER < LINES")
    sys.exit(main(float(sys.argv[1]), sys.argv[2]))
