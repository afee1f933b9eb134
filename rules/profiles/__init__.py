"""The confidentiality profiles of PS3.15 Annex E as data, and what they say of one attribute. It changes no header."""

from rules.profiles.private import SafePrivate, safe_private
from rules.profiles.table import OPTIONS, Action, Profile, editions, profile

__all__ = ["OPTIONS", "Action", "Profile", "SafePrivate", "editions", "profile", "safe_private"]
