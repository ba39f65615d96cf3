"""When does Window Loss win: a controlled study on synthetic radiographs (docs/study.md).

:mod:`.design` says what is varied and what is expected, :mod:`.data` writes the radiographs,
:mod:`.runs` trains and files each result, :mod:`.analysis` compares, :mod:`.report` writes.
"""
