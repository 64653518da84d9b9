"""A chat in Streamlit: `pip install streamlit msgmodel`, then `streamlit run streamlit_chat.py`."""

import os

import streamlit

from msgmodel import Conversation

PROVIDER = os.environ.get("MSGMODEL_PROVIDER", "openai")

if "chat" not in streamlit.session_state:
    streamlit.session_state.chat = Conversation(PROVIDER)
chat = streamlit.session_state.chat

for message in chat.messages:
    with streamlit.chat_message(message["role"]):
        streamlit.markdown(message["content"])

if prompt := streamlit.chat_input("Ask something"):
    with streamlit.chat_message("user"):
        streamlit.markdown(prompt)
    with streamlit.chat_message("assistant"):
        place, text = streamlit.empty(), ""
        for event in chat.stream_panels(prompt):
            if event["event"] == "panel_delta":
                text += event["delta"]
                place.markdown(text)
            elif event["event"] == "panel_error":
                streamlit.error(event["error"])
            elif event["event"] == "panel_final" and event["status"] != "complete":
                streamlit.warning(f"{event['status']}: {event['finish_reason']}")
