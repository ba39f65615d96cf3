"""Many trainings as one experiment: settings and folds to runs, runs to tables and figures.

Running: :mod:`.plan` says what there is to do, :mod:`.run_folders` what is done already;
:mod:`.cross_validation`, :mod:`.tuning` and :mod:`.retest` do it by way of :mod:`.job_queue`, each
run in a process of :mod:`.worker`. Reading: :mod:`.results` reads finished runs back,
:mod:`.summaries` their numbers, :mod:`.paper_tables`, :mod:`.paper_report` and
:mod:`.result_files` write them; :mod:`.recompute` makes them again from result files alone.
"""
