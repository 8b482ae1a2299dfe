"""schedules: one file each; the file's name is the name in YAML."""
