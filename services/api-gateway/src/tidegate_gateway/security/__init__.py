"""Who may ask what of the gateway, how often, and what is written down of it."""

from tidegate_gateway.security.callers import Caller, Role
from tidegate_gateway.security.gate import Security, check_account
from tidegate_gateway.security.requirement import Reader, require

__all__ = ["Caller", "Reader", "Role", "Security", "check_account", "require"]
