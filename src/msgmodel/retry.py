"""`msgmodel.retry`, as msgmodel 4 had it."""

from .v4.retry import DEFAULT_RETRYABLE_EXCEPTIONS as DEFAULT_RETRYABLE_EXCEPTIONS
from .v4.retry import RETRY_AGGRESSIVE as RETRY_AGGRESSIVE
from .v4.retry import RETRY_CONSERVATIVE as RETRY_CONSERVATIVE
from .v4.retry import RETRY_DEFAULT as RETRY_DEFAULT
from .v4.retry import APIError as APIError
from .v4.retry import OnRetry as OnRetry
from .v4.retry import RateLimitError as RateLimitError
from .v4.retry import RetryConfig as RetryConfig
from .v4.retry import ServiceUnavailableError as ServiceUnavailableError
from .v4.retry import calculate_backoff as calculate_backoff
from .v4.retry import is_retryable_status_code as is_retryable_status_code
from .v4.retry import retry_on_transient_error as retry_on_transient_error
