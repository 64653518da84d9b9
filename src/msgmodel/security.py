"""`msgmodel.security`, as msgmodel 4 had it."""

from .v4.security import RequestSigner as RequestSigner
