"""Specs read in the other direction: what a request in a provider's dialect asks, and replies in that dialect."""

from rankspec.dialects.dialect import SpecDialect, paths_of
from rankspec.dialects.probes import Unlearnable
from rankspec.dialects.reading import Reading

__all__ = ["Reading", "SpecDialect", "Unlearnable", "paths_of"]
