"""Testing a checkpoint, as mmdet's tools/test.py does it."""
from pathlib import Path

from mmwindow.apis.config import load_config
from mmwindow.apis.runner import build_runner, check_checkpoint
from mmwindow.engine.cpu.distributed import close_process_group


def test(config, checkpoint, work_dir=None, cfg_options=None, launcher='none', out=None,
         show_dir=None):
    """Test a checkpoint; return the metrics as a dict.

    Args:
        config (str | Path): The config file.
        checkpoint (str | Path): The weights.
        work_dir (str | Path, optional): Where the log goes.
        cfg_options (dict, optional): Overrides of the config.
        launcher (str): 'none', 'pytorch', 'slurm' or 'mpi'.
        out (str | Path, optional): An ``.npz`` that receives every prediction, for evaluation
            offline, with a ``.json`` next to it that describes it; or a ``.pkl`` as mmdet writes it.
        show_dir (str | Path, optional): Where mmdet's visualizer paints the findings.
    """
    check_checkpoint(checkpoint)
    if out is not None and Path(out).suffix not in ('.npz', '.pkl', '.pickle'):
        raise ValueError(f'--out {out}: the file must end in .npz, .pkl or .pickle')
    cfg = load_config(config, work_dir, cfg_options, launcher)
    cfg.load_from = str(checkpoint)
    if show_dir is not None:
        hook = cfg.default_hooks.setdefault('visualization', dict(type='DetVisualizationHook'))
        hook.update(draw=True, test_out_dir=str(show_dir))
    runner = build_runner(cfg)
    if out is not None:
        runner.test_evaluator.metrics.append(dump_metric(out, config, checkpoint))
        runner.test_evaluator.dataset_meta = runner.test_dataloader.dataset.metainfo
    metrics = runner.test()
    close_process_group()
    return metrics


def dump_metric(out, config, checkpoint):
    """Return the metric that writes every prediction into a file, by its suffix."""
    if Path(out).suffix != '.npz':
        from mmdet.evaluation import DumpDetResults
        return DumpDetResults(out_file_path=str(out))
    from mmwindow.evaluation.froc_metric import DumpPredictions
    return DumpPredictions(str(out), dict(config=Path(config).name, checkpoint=Path(checkpoint).name))
