"""A Cohere-compatible server in front of every provider. Needs the extra `gateway`; `config` alone needs nothing."""
