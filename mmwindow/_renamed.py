"""Old module names, importable for one more version, with a warning that names the new place."""
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from types import ModuleType

# Old module -> the modules that now hold its names. Goes with version 0.3.
RENAMED_MODULES: dict[str, tuple[str, ...]] = {
    'mmwindow.whole_files': ('mmwindow.utils.files',),
    'mmwindow.bounds': ('mmwindow.structures.bounds',),
    'mmwindow.apis.runs': ('mmwindow.utils.files', 'mmwindow.utils.environment',
                           'mmwindow.utils.progress', 'mmwindow.engine.checkpoint'),
    'mmwindow.apis.launch': ('mmwindow.apis.config', 'mmwindow.apis.runner', 'mmwindow.apis.train',
                             'mmwindow.apis.test', 'mmwindow.apis.test_outputs'),
    'mmwindow.apis.evaluation': ('mmwindow.apis.evaluate_files',),
    'mmwindow.apis.report': ('mmwindow.apis.test_report',),
    'mmwindow.apis.quickstart': ('mmwindow.experiments.quickstart',),
    'mmwindow.apis.experiments': ('mmwindow.experiments',),
    'mmwindow.datasets.point_file': ('mmwindow.annotations.point_file',
                                     'mmwindow.images.file_check'),
    'mmwindow.datasets.image_file': ('mmwindow.images.file_check',),
    'mmwindow.datasets.fold_file': ('mmwindow.datasets.folds',),
    'mmwindow.datasets.synthetic': ('mmwindow.synthetic',),
    'mmwindow.evaluation.files.annotation_file': (
        'mmwindow.evaluation.files.ground_truth', 'mmwindow.annotations.checks',
        'mmwindow.utils.files'),
    'mmwindow.evaluation.events.kept_events': ('mmwindow.evaluation.events.floor',),
    'mmwindow.evaluation.metrics': ('mmwindow.evaluation.froc_metric',
                                    'mmwindow.evaluation.files.samples'),
    'mmwindow.evaluation.events.hit_rules': ('mmwindow.evaluation.hit_rules',),
    'mmwindow.engine.hooks.training_time_hook': ('mmwindow.engine.run_file',
                                                 'mmwindow.engine.hooks'),
    'mmwindow.visualization.paper_figures': ('mmwindow.visualization.curves',),
    'mmwindow.engine.memory': ('mmwindow.engine.cpu.memory',),
    'mmwindow.engine.optim': ('mmwindow.engine.mixed_precision',),
    'mmwindow.engine.cpu.bfloat16': ('mmwindow.engine.mixed_precision',),
    'mmwindow.engine.distributed': ('mmwindow.engine.cpu.distributed',),
    **{f'mmwindow.apis.experiments.{old}': (f'mmwindow.experiments.{new}',) for old, new in {
        'run_plan': 'plan', 'run_worker': 'worker', 'choice': 'tuning',
        'run_results': 'results', 'tables': 'paper_tables',
        'job_queue': 'job_queue', 'paper_report': 'paper_report', 'result_files': 'result_files',
        'retest': 'retest', 'summaries': 'summaries', 'systems': 'systems'}.items()},
    'mmwindow.apis.experiments.folds': ('mmwindow.experiments.cross_validation',
                                        'mmwindow.experiments.run_folders'),
    'mmwindow.apis.experiments.arguments': ('mmwindow.experiments.commands.run_arguments',
                                            'mmwindow.utils.command_line'),
    **{f'mmwindow.datasets.synthetic.{name}': (f'mmwindow.synthetic.{name}',) for name in (
        'anatomy', 'exposure', 'fractures', 'fragments', 'lookalikes', 'radiograph', 'shapes',
        'soft_tissue', 'texture', 'writing')},
    'mmwindow.datasets.synthetic.sheet': ('mmwindow.synthetic.writing',),
}
PACKAGES = ('mmwindow.apis.experiments', 'mmwindow.datasets.synthetic')
# Names that changed with their module.
RENAMED_NAMES: dict[str, str] = {
    'whole_file': 'atomic_file', 'ProgressLine': 'ProgressDisplay',
    'is_whole_checkpoint': 'is_complete_checkpoint', 'mend_last_checkpoint': 'fix_last_checkpoint'}


class RenamedModule(ModuleType):
    """A module of an old name, whose names are looked up in the new modules."""

    def __getattr__(self, name: str) -> object:
        if name.startswith('__'):
            raise AttributeError(name)
        homes = RENAMED_MODULES[self.__name__]
        for home in homes:
            module = import_module(home)
            for candidate in (name, RENAMED_NAMES.get(name, name)):
                if hasattr(module, candidate):
                    return getattr(module, candidate)
        raise AttributeError(f'{self.__name__} is now {" and ".join(homes)}, which has no {name!r}')


class RenamedFinder:
    """Find modules by their old names."""

    def find_spec(self, fullname: str, path: Sequence[str] | None = None,
                  target: ModuleType | None = None) -> ModuleSpec | None:
        """Return a spec for an old name, None for any other."""
        if fullname not in RENAMED_MODULES:
            return None
        return spec_from_loader(fullname, self,  # type: ignore[arg-type]
                                is_package=fullname in PACKAGES)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the module that looks its names up elsewhere."""
        return RenamedModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Say where the module's names are now."""
        homes = ' and '.join(RENAMED_MODULES[module.__name__])
        warnings.warn(f'{module.__name__} was renamed; import from {homes}. The old name goes with '
                      'version 0.3', FutureWarning, stacklevel=2)


def accept_old_names() -> None:
    """Let old module names be imported."""
    if not any(isinstance(finder, RenamedFinder) for finder in sys.meta_path):
        sys.meta_path.append(RenamedFinder())
