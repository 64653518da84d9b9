"""Ask a question for each line of a file, and write the results as JSON lines: `python batch_file.py in.txt out.jsonl`.

A line that failed is in the results too, with its code. Run the program again, and it asks only what is missing.
"""

import json
import os
import sys
from pathlib import Path

from msgmodel import LLMResponse, map_prompts

PROVIDER = os.environ.get("MSGMODEL_PROVIDER", "openai")


def main(source: Path, target: Path) -> int:
    """Return the number of lines that have no complete answer."""
    done = {}
    if target.exists():
        results = map(json.loads, target.read_text("utf-8").splitlines())
        done = {result["prompt"]: result for result in results if result["status"] == "complete"}
    prompts = [line for line in source.read_text("utf-8").splitlines() if line.strip()]
    missing = [prompt for prompt in dict.fromkeys(prompts) if prompt not in done]
    for prompt, result in zip(missing, map_prompts(missing, PROVIDER) if missing else [], strict=True):
        if isinstance(result, LLMResponse):
            done[prompt] = {"prompt": prompt, "status": result.status, "answer": result.text}
        else:
            done[prompt] = {"prompt": prompt, "status": result.code, "answer": result.content}
    target.write_text("".join(json.dumps(done[prompt], ensure_ascii=False) + "\n" for prompt in prompts), "utf-8")
    return sum(done[prompt]["status"] != "complete" for prompt in prompts)


if __name__ == "__main__":
    sys.exit(min(main(Path(sys.argv[1]), Path(sys.argv[2])), 1))
