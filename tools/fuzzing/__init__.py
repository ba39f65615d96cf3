"""Mutated files for every reader, each run in a child process with bounds; see ``tools/fuzz.py``."""
