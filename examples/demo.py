"""The main job, with no key: a reply of the embedded model as panel events.

pip install 'msgmodel[local]' && msgmodel local pull && python examples/demo.py "Why is the sky blue?"
"""

import json
import sys

from msgmodel import stream_panels

prompt = " ".join(sys.argv[1:]) or "Tell me in two sentences why the sea is salty."
print("(SmolLM2-135M, a small demo model inside this process: quick, and often wrong)\n")
print(f"> {prompt}\n")

try:
    for event in stream_panels("local", prompt, max_tokens=120):
        match event["event"]:
            case "panel_delta":
                print(event["delta"], end="", flush=True)
            case "panel_final" | "panel_error":
                print("\n\nThe last event, which says how it ended:")
                print(json.dumps(event, indent=2))
except KeyboardInterrupt:  # the reply is left, and with it its generation
    sys.exit(130)
