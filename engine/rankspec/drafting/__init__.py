"""A spec proposed from a request that works and the reply it got. Pure: text in, text out; what is guessed is told."""

from __future__ import annotations

from rankspec.drafting.assembly import draft_from_curl
from rankspec.drafting.minimal import minimal_draft
from rankspec.drafting.outcome import Draft, DraftFailed

__all__ = ["Draft", "DraftFailed", "draft_from_curl", "minimal_draft"]
