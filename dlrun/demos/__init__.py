"""demos: one file each, a concept of the book as a small script; `dlrun reproduce` runs them.

`run(folder)` prints what it does, puts its pictures into `folder`, and returns its values by name.
"""
