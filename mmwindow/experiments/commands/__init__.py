"""One module per command of many runs: its arguments, and what it calls; as ``apis.commands``."""
