"""``python -m mmwindow VERB``; see :mod:`mmwindow.cli`."""
from mmwindow.cli import main

if __name__ == '__main__':
    main()
