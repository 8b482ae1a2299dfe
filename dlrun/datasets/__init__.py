"""The datasets: one file each, and helpers that start with an underscore."""
