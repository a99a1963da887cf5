"""Errors a person can act on: what is wrong, and the way out, in both languages."""

from __future__ import annotations


class MinhBachError(Exception):
    """Base of every error the project raises on purpose. The edges (command line, API, page) translate it once."""

    code = "error"
    http_status = 500
    exit_code = 1

    def __init__(self, message: str, *, vi: str) -> None:
        """`message` is the English text, `vi` the Vietnamese one; both name the problem and the way out."""
        super().__init__(message)
        self.vi = vi
