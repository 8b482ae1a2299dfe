"""dlrun: a command-line runner of deep-learning experiments, driven by YAML."""

__version__ = "0.1.0"
