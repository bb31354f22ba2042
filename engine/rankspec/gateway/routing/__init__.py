"""From a model's name to a deployment that answers: state, choice, retries, fallbacks."""
