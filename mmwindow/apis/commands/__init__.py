"""One module per command of one model: its arguments, and what it calls.

``tools/<name>.py`` and ``mmwindow <verb>`` run them with
:func:`~mmwindow.utils.command_line.run_command`. They import nothing heavy before they run.
"""
