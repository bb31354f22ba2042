"""What operators see: the log, metrics, and probes of providers."""
