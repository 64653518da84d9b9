"""Stream a reply of the embedded model as panel events. It needs no key.

pip install 'msgmodel[local]' && msgmodel local pull && python examples/demo.py "Why do plants need sunlight?"
"""

import json
import sys

from msgmodel import stream_panels

prompt = " ".join(sys.argv[1:]) or "Tell me in a few sentences why exercise is good for you."
print("(SmolLM2-135M, a small demo model in this process: fast, and often wrong)\n")
print(f"> {prompt}\n")

try:
    for event in stream_panels("local", prompt, max_tokens=200):
        match event["event"]:
            case "panel_delta":
                print(event["delta"], end="", flush=True)
            case "panel_final" | "panel_error":
                print("\n\nThe last event says how the reply ended:")
                print(json.dumps(event, indent=2))
except KeyboardInterrupt:  # leaving the stream stops the model
    sys.exit(130)
