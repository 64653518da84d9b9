"""`msgmodel.compat`: names of msgmodel 4 and of the first releases of 5."""

from .v4.names import ANTHROPIC_API_KEY_ENV as ANTHROPIC_API_KEY_ENV
from .v4.names import ANTHROPIC_API_KEY_FILE as ANTHROPIC_API_KEY_FILE
from .v4.names import ANTHROPIC_URL as ANTHROPIC_URL
from .v4.names import GEMINI_API_KEY_ENV as GEMINI_API_KEY_ENV
from .v4.names import GEMINI_API_KEY_FILE as GEMINI_API_KEY_FILE
from .v4.names import GEMINI_URL as GEMINI_URL
from .v4.names import OPENAI_API_KEY_ENV as OPENAI_API_KEY_ENV
from .v4.names import OPENAI_API_KEY_FILE as OPENAI_API_KEY_FILE
from .v4.names import OPENAI_URL as OPENAI_URL
from .v4.names import AnthropicProvider as AnthropicProvider
from .v4.names import ClaudeConfig as ClaudeConfig
from .v4.names import FileData as FileData
from .v4.names import GeminiProvider as GeminiProvider
from .v4.names import OnChunk as OnChunk
from .v4.names import OpenAIProvider as OpenAIProvider
from .v4.names import Piece as Piece
from .v4.names import Provider as Provider
from .v4.names import get_default_config as get_default_config
