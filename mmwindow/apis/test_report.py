"""The page and the pictures of a test whose record and predictions are files."""
from pathlib import Path

from mmwindow.apis.model_files import read_checkpoint
from mmwindow.apis.report_examples import KeptImages
from mmwindow.apis.run_numbers import ReportSettings, measure_classes
from mmwindow.apis.run_report import ReportInputs, ReportOutcome
from mmwindow.apis.run_report.page import write_page
from mmwindow.evaluation.files.records import read_record
from mmwindow.evaluation.files.safe_pickle import load_samples
from mmwindow.evaluation.results import summarise
from mmwindow.images.decode import ImageSettings


def draw_report(out: str | Path, record: str | Path, predictions: str | Path,
                checkpoint: str | Path | None = None, image_settings: ImageSettings | None = None,
                settings: ReportSettings = ReportSettings()) -> ReportOutcome:  # noqa: B008
    """Write ``report.md`` and the figures of a test into a folder, as each test has them.

    Other files of the folder stay as they are.

    Args:
        out: The folder.
        record: What ``FROCMetric(outfile=...)`` wrote.
        predictions: What ``mmwindow test --out`` wrote, ``.pkl``.
        checkpoint: Whose stored thresholds are shown; None for none.
        image_settings: How images are read, as in the config.
        settings: How intervals and bands are made.

    Raises:
        ValueError: A file is not what it should be.
    """
    content, images = read_record(record), KeptImages()
    for sample in load_samples(predictions):
        images.add(sample)
    result = summarise(content.classes, content.settings, content.source.get('counts', {}))
    points = None if checkpoint is None else read_checkpoint(checkpoint).points
    numbers = measure_classes(result, {} if points is None else points.classes, settings)
    return write_page(Path(out), ReportInputs(
        'Test report', result, points, images, image_settings=image_settings), numbers, settings,
        f'Images and their events: {Path(record).name}.')
