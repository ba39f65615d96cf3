"""The complete path in one call: synthetic radiographs, training, test, pictures."""
import time
from dataclasses import replace
from pathlib import Path

from mmwindow.apis.test_report import draw_report
from mmwindow.evaluation.metric_names import PAPER_METRICS
from mmwindow.experiments.cross_validation import run_here
from mmwindow.experiments.plan import RunSettings, plan_run
from mmwindow.synthetic import write_dataset
from mmwindow.utils.files import load_json
from mmwindow.utils.markdown import format_number
from mmwindow.utils.progress import describe_seconds

PREDICTIONS = 'test_predictions.pkl'


def quickstart(config: str | Path, data: str | Path, out: str | Path, seed: int = 0,
               overwrite: bool = False, accept: bool = False, command_line: str = 'quickstart'
               ) -> dict[str, float | None]:
    """Generate data, train, test and draw; print AUROC, recall@0.1 and FROC score.

    Each stage is reused where a run with the same settings finished it; a training that was cut
    resumes from its last epoch.

    Args:
        config: Config of a model for the synthetic radiographs.
        data: Folder for the data set.
        out: Folder for the results: ``result.json``, ``roc.png``, ``froc.png``, ``overlays.png``,
            ``report.md`` and ``training/``.
        seed: Of the data set and of the training.
        overwrite: Delete a run of other settings in ``out``.
        accept: Keep a training of other code (:mod:`mmwindow.experiments.run_folders`).
        command_line: Is noted in the result.

    Returns:
        The metrics of the test split.

    Raises:
        ValueError: ``out`` holds a run of other settings or something else, or ``data`` another
            data set.
    """
    started = time.monotonic()
    data, out = Path(data), Path(out)
    print(f'1 results go to {out}/; 2 to 8 minutes on two cores, seconds when it is run again\n'
          f'2 synthetic radiographs in {data}/', flush=True)
    write_dataset(data, seed=seed)
    options = {f'{split}_dataloader.dataset.data_root': f'{data}/'
               for split in ('train', 'val', 'test')}
    plan = replace(plan_run(config, out, RunSettings(options, seed), None, None), folder=out,
                   splits=('test',))
    print('3 training and test', flush=True)
    if not run_here(plan, command_line, overwrite, accept, PREDICTIONS):
        print(f'  reused from {out}')
    result = load_json(out / 'result.json', 'result of the quickstart')
    metrics = result['metrics']
    pictures = [out / name for name in ('report.md', 'overlays.png')]
    if any(not path.exists() or path.stat().st_mtime < (out / 'result.json').stat().st_mtime
           for path in pictures):
        print('4 curves and heat maps', flush=True)
        outcome = draw_report(out, out / 'test.json', out / PREDICTIONS,
                              out / 'training' / result['checkpoint'])
        for problem in outcome.problems:
            print(f'  {problem}')
    shown = {name: format_number(metrics[f'froc/{name}']) for name in PAPER_METRICS}
    print(f'\n  AUROC      {shown["auroc"]}   image with or without a fracture\n'
          f'  recall@0.1 {shown["recall@0.1"]}   fractures found at one false positive '
          f'in ten images\n'
          f'  FROC score {shown["froc_score"]}   mean recall at 0.1 to 0.5 false '
          f'positives an image\n\n  look at {out}/overlays.png, roc.png and froc.png; numbers in '
          f'result.json\n  training {describe_seconds(result["training_seconds"])}, this run '
          f'{describe_seconds(time.monotonic() - started)}')
    return metrics
