"""The command ``mmwindow VERB``, also ``python -m mmwindow VERB``: what ``tools/*.py`` do."""
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NamedTuple, cast

from mmwindow.utils.command_line import Verb, run_command


class VerbEntry(NamedTuple):
    """Where a verb is, and what the list of verbs says of it."""

    module: str
    help: str


VERBS = {
    'train': VerbEntry('mmwindow.experiments.commands.train',
                       'train a model, on your data or by a config'),
    'test': VerbEntry('mmwindow.apis.commands.test', 'test a model, also on images of another place'),
    'predict': VerbEntry('mmwindow.apis.commands.predict',
                         'find findings on new images with a trained model'),
    'compare': VerbEntry('mmwindow.apis.commands.compare',
                         'draw models next to each other on the same images'),
    'average': VerbEntry('mmwindow.apis.commands.average',
                         'average the weights of several epochs of one training'),
    'browse': VerbEntry('mmwindow.apis.commands.browse', 'show what a model is taught, as a picture'),
    'export': VerbEntry('mmwindow.apis.commands.export',
                        'write a trained model for prediction without torch'),
    'evaluate': VerbEntry('mmwindow.apis.commands.evaluate',
                          'score saved predictions of any framework'),
    'import': VerbEntry('mmwindow.apis.commands.import_annotations',
                        'turn the annotations of another tool into a point file'),
    'annotations': VerbEntry('mmwindow.apis.commands.annotations',
                             'export a point file for another tool'),
    'check': VerbEntry('mmwindow.apis.commands.check',
                       'the data doctor: what is wrong with a data set'),
    'cache': VerbEntry('mmwindow.apis.commands.cache', 'decode images before a training'),
    'splits': VerbEntry('mmwindow.apis.commands.splits', 'divide a point file by patient'),
    'folds': VerbEntry('mmwindow.experiments.commands.folds',
                       'train and test many configs over folds'),
    'tune': VerbEntry('mmwindow.experiments.commands.settings',
                      'compare settings on images kept aside, over folds'),
    'retest': VerbEntry('mmwindow.experiments.commands.retest',
                        'test finished runs again: other weights, views, rules or images'),
    'ledger': VerbEntry('mmwindow.experiments.commands.ledger',
                        'what was tried for each system: settings and trainings'),
    'tables': VerbEntry('mmwindow.experiments.commands.tables',
                        "the paper's tables and figures from finished runs"),
    'quickstart': VerbEntry('mmwindow.experiments.commands.quickstart',
                            'the complete path on synthetic radiographs'),
}


def describe_verbs() -> str:
    """Return the help of ``mmwindow`` itself."""
    width = max(map(len, VERBS))
    return '\n'.join([
        'usage: mmwindow VERB [options]',
        'Detectors for radiographs, trained from one point per finding.', '',
        *(f'  {name:{width}}  {entry.help}' for name, entry in VERBS.items()),
        'mmwindow VERB --help lists the options of a verb.'])


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a verb.

    Args:
        arguments: After the program; those of this process if None.

    Raises:
        SystemExit: Status 0 after a help, 2 for an unknown verb or bad usage, 1 for any other error
            of the user's.
    """
    verb, *rest = (sys.argv[1:] if arguments is None else list(arguments)) or ['--help']
    if verb in ('-h', '--help'):
        print(describe_verbs())
        raise SystemExit(0)
    if verb not in VERBS:
        print(f'mmwindow: there is no verb {verb[:50]!r}; the verbs are {", ".join(VERBS)}',
              file=sys.stderr)
        raise SystemExit(2)
    run_command(cast(Verb, import_module(VERBS[verb].module)), f'mmwindow {verb}', rest)


if __name__ == '__main__':
    main()
