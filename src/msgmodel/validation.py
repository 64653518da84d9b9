"""`msgmodel.validation`, as msgmodel 4 had it."""

from .errors import ConfigurationError as ConfigurationError
from .errors import ValidationError as ValidationError
from .v4.validation import MAX_MAX_TOKENS as MAX_MAX_TOKENS
from .v4.validation import MAX_TEMPERATURE as MAX_TEMPERATURE
from .v4.validation import MAX_TOP_P as MAX_TOP_P
from .v4.validation import MIN_MAX_TOKENS as MIN_MAX_TOKENS
from .v4.validation import MIN_TEMPERATURE as MIN_TEMPERATURE
from .v4.validation import MIN_TOP_P as MIN_TOP_P
from .v4.validation import validate_api_key as validate_api_key
from .v4.validation import validate_max_tokens as validate_max_tokens
from .v4.validation import validate_model_name as validate_model_name
from .v4.validation import validate_prompt as validate_prompt
from .v4.validation import validate_temperature as validate_temperature
from .v4.validation import validate_timeout as validate_timeout
from .v4.validation import validate_top_p as validate_top_p
