"""A config file to `GatewayConfig`: in LiteLLM's form, in our own, or both. Everything that is wrong is told at once.

Reads the specs and the files with secrets that the config names, and no other file.
"""

from rankspec.gateway.config.file import examine_config, read_config
from rankspec.gateway.config.reading import is_config, looks_like_config
from rankspec.gateway.config.without_file import config_without_file

__all__ = ["config_without_file", "examine_config", "is_config", "looks_like_config", "read_config"]
