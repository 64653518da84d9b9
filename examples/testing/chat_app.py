"""A small chat application that shows how to test one. It tells the user when an answer is incomplete."""

from msgmodel import Conversation, PanelFinal, ReplyError

NOTES = {
    "truncated": " [cut off by the length limit]",
    "interrupted": " [the connection was lost]",
    "rate_limit": "[too many requests: try again in a moment]",
}


class ChatApp:
    """Keep one conversation; `answer` returns what the user sees."""

    def __init__(self, provider: str = "openai") -> None:
        self.conversation = Conversation(provider, max_retries=0)

    def answer(self, prompt: str) -> str:
        try:
            final: PanelFinal = self.conversation.query(prompt).raw_response
        except ReplyError as error:
            return error.content + NOTES.get(error.code, " [something went wrong]")
        return final["content"] + NOTES.get(final["status"], "")
