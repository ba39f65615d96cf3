#!/usr/bin/env python
"""Try readers with mutated files: each ends in one line that names the file, or in the right numbers.
"""
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / 'tools')]  # this checkout, whatever is installed

from fuzzing.command import main  # noqa: E402

if __name__ == '__main__':
    main()
