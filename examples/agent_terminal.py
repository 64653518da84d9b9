"""An agent in the terminal that may read the files of a folder, and asks before it changes one.

pip install 'msgmodel[tools]' && OPENAI_API_KEY=... python examples/agent_terminal.py openai notes "Correct the typos"

What it has done is kept in agent.db: after a crash, start it again with the same name as the last argument, and it goes
on. No change is made twice.
"""

import sys
from pathlib import Path

from msgmodel import MsgModelError, PendingCall, run_tools


def main(provider: str, folder: str, task: str, name: str | None = None) -> None:
    """Do the task."""
    root = Path(folder).resolve()

    def inside(path: str) -> Path:
        found = (root / path).resolve()
        if not found.is_relative_to(root):
            raise ValueError("the file is not in the folder")
        return found

    def list_files() -> list[str]:
        """List the files of the folder."""
        return sorted(str(found.relative_to(root)) for found in root.rglob("*") if found.is_file())

    def read_file(path: str) -> str:
        """Read a file of the folder."""
        return inside(path).read_text("utf-8")

    def write_file(path: str, text: str) -> str:
        """Write a file of the folder."""
        inside(path).write_text(text, "utf-8")
        return "written"

    def approve(call: PendingCall) -> bool | str:
        print(f"\nMay it {call['name']}?", *call["arguments_json"].values(), sep="\n")
        answer = input("[y]es, or why not: ").strip()
        return answer.lower() in ("y", "yes") or answer or False

    tools = [list_files, read_file, write_file]
    options = {"approve": approve, "approval": ["write_file"], "journal": "agent.db", "run_id": name, "max_rounds": 30}
    for event in run_tools(provider, task, tools=tools, **options):
        if event["event"] == "panel_delta":
            print(event["delta"], end="", flush=True)
        elif event["event"] == "panel_tool_result":
            print(f"\n[{event['name']}: {event['status']}{' ' + event['error'] if event['error'] else ''}]")
        elif event["event"] == "panel_final" and event["status"] != "complete":
            print(f"\n[{event['status']}: {event['finish_reason']}]", end="")
        elif event["event"] == "panel_error":
            sys.exit(f"\n{event['error']}")
    print()


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except MsgModelError as error:
        sys.exit(str(error))
