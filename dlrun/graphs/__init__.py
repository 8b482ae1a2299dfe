"""Graphs of layers from YAML: what is written, how it hangs together, and the module it becomes."""
