"""LangChain's own standard tests of a chat model, with its `ChatOpenAI` on `msgmodel serve`: run by its pytest.

The address and the model are in the variables MSGMODEL_URL and MSGMODEL_MODEL.
"""

from __future__ import annotations

import os
from typing import Any

from langchain_openai import ChatOpenAI
from langchain_tests.integration_tests import ChatModelIntegrationTests


class TestStandard(ChatModelIntegrationTests):
    """Everything but what fetches a file from the internet, or stores a recording."""

    @property
    def chat_model_class(self) -> type[ChatOpenAI]:
        return ChatOpenAI

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {
            "model": os.environ["MSGMODEL_MODEL"],
            "base_url": f"{os.environ['MSGMODEL_URL']}/v1",
            "api_key": "any",
            "stream_usage": True,
        }

    @property
    def supports_json_mode(self) -> bool:
        return True
