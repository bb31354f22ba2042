"""Everything that can be said of a spec file without a network."""

from rankspec.checks.replay import MADE_ID, replay, replay_examples, run_offline

__all__ = ["MADE_ID", "replay", "replay_examples", "run_offline"]
