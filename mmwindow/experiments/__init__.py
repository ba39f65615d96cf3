"""Many trainings as one experiment: settings and folds to runs, runs to tables and figures.

Running: :mod:`.run_plan` says what there is to do, :mod:`.folds`, :mod:`.choice` and
:mod:`.retest` do it by way of :mod:`.job_queue`, each run in a process of :mod:`.run_worker`.
Reading: :mod:`.run_results` reads finished runs back, :mod:`.summaries` their numbers,
:mod:`.tables`, :mod:`.paper_report` and :mod:`.result_files` write them.
"""
