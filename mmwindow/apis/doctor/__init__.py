"""The data doctor: what is wrong with a data set before a training, and what to do.

One file per check, each a pure function that returns a result with its problems; one file per output.
Neither torch nor mmdet is imported.
"""
