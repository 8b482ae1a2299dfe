"""Ways of looking into a net, one file each; `dlrun explain method=NAME` runs them (book section 5.4).

`build(*, ...) -> Method` (`_report.py`): its keyword-only parameters are the keys of the command, a `_` at the end of
one left out (`class_`).
"""
