"""Callers' requests taken apart and answered: paths, keys, bodies, dialects and pages."""
