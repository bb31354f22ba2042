"""A rerank translator: every provider is one YAML file. The public names; everything else is private."""
