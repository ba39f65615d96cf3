"""Files of exported models (one ONNX graph, or a ZIP of two), and their sessions."""
import io
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from mmwindow.runtime.model_info import ModelInfo, read_info
from mmwindow.runtime.onnx_file import OnnxContent, read_onnx
from mmwindow.utils.messages import shorten

MAX_MEMORY = 2 ** 32  # bytes that ONNX Runtime may take: a graph can ask for any number
MAX_BYTES = 2 ** 30  # of a file; ResNet-50 takes 100 MB, an ONNX file at most 2 GB
STAGES = ('stage1.onnx', 'stage2.onnx')
INSTALL = 'pip install "mmwindow[runtime]", or pip install -r requirements/runtime.txt'


@dataclass(frozen=True)
class ModelFile:
    """An exported file that was checked.

    Attributes:
        name: Of the file, for messages.
        info: What it says of itself.
        graphs: Bytes of its ONNX graphs: one, or two stages.
        contents: What was found in each.
    """

    name: str
    info: ModelInfo
    graphs: tuple[bytes, ...]
    contents: tuple[OnnxContent, ...]


def read_model_file(path: str | Path) -> ModelFile:
    """Read an exported file and check it before anything runs it.

    Raises:
        ValueError: It is missing, no file that ``mmwindow export`` writes, damaged or harmful.
    """
    name = shorten(str(path))
    graphs = read_graphs(read_model_bytes(path, name), name)
    contents = []
    for graph in graphs:
        try:
            contents.append(read_onnx(graph))
        except ValueError as error:
            raise ValueError(f'{name}: {error}; a file of "mmwindow export" is expected') from error
    return ModelFile(name, read_info(contents[0].metadata, name), graphs, tuple(contents))


def read_model_bytes(path: str | Path, name: str) -> bytes:
    """Return the content of a file of bounded size.

    Raises:
        ValueError: It is missing, no regular file, or too large.
    """
    path = Path(str(path).replace('\0', '?'))
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ValueError(f'{name}: a file of "mmwindow export" is expected, not a folder, pipe '
                             'or device')
        if status.st_size > MAX_BYTES:
            raise ValueError(f'{name}: {status.st_size >> 20} MB are more than an exported model '
                             f'takes (at most {MAX_BYTES >> 20} MB)')
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f'{name}: the model cannot be read ({error.strerror or error}); check the '
                         'path') from error


def read_graphs(data: bytes, name: str) -> tuple[bytes, ...]:
    """Return the ONNX graphs of a file.

    Raises:
        ValueError: It is a ZIP of anything else.
    """
    if not data.startswith(b'PK'):
        return (data, )
    import zipfile  # not needed for one graph
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            # Stored as they are: nothing unpacks to more than the file.
            if tuple(member.filename for member in members) != STAGES or any(
                    member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1
                    or member.file_size != member.compress_size
                    for member in members):
                raise ValueError(f'{name}: a ZIP file of something else than the two stages of an '
                                 'exported model (a checkpoint of torch?); "mmwindow export" writes '
                                 'what the runtime reads')
            return tuple(archive.read(member) for member in members)
    except (zipfile.BadZipFile, EOFError, OSError, NotImplementedError) as error:
        raise ValueError(f'{name}: it is damaged ({shorten(str(error))}); copy or export it '
                         'again') from error


def write_graphs(path: str | Path, graphs: Mapping[str, bytes] | bytes) -> None:
    """Write one graph as ONNX, or two stages as a ZIP whose bytes depend on them alone."""
    if isinstance(graphs, bytes):
        Path(path).write_bytes(graphs)
        return
    import zipfile
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_STORED) as archive:
        for member, graph in graphs.items():
            archive.writestr(zipfile.ZipInfo(member), graph)


def import_onnxruntime() -> Any:
    """Return ONNX Runtime, silent.

    Raises:
        ValueError: It is not installed.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise ValueError(f'ONNX Runtime is not installed ({error}); {INSTALL}') from error
    onnxruntime.set_default_logger_severity(4)
    return onnxruntime


@lru_cache(maxsize=1)
def limit_memory() -> None:
    """Let ONNX Runtime take at most ``MAX_MEMORY`` in this process, in sessions that ask for it."""
    onnxruntime = import_onnxruntime()
    place = onnxruntime.OrtMemoryInfo('Cpu', onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0,
                                      onnxruntime.OrtMemType.DEFAULT)
    # Strategy 1: blocks of the size that is asked for, not of twice the last one.
    onnxruntime.create_and_register_allocator(place, onnxruntime.OrtArenaCfg(
        dict(max_mem=MAX_MEMORY, arena_extend_strategy=1)))


def open_session(file: ModelFile, index: int, num_threads: int | None) -> Any:
    """Return a session of ONNX Runtime on the processor.

    Args:
        file: Checked.
        index: Of its graph.
        num_threads: That compute; None: as many as ``OMP_NUM_THREADS`` says, else one a core.

    Raises:
        ValueError: ONNX Runtime rejects the graph.
    """
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    environment = os.environ.get('OMP_NUM_THREADS', '')
    options.intra_op_num_threads = num_threads or (int(environment) if environment.isdecimal() else 0)
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.add_session_config_entry('session.intra_op.allow_spinning', '0')
    limit_memory()
    options.add_session_config_entry('session.use_env_allocators', '1')
    try:
        return onnxruntime.InferenceSession(file.graphs[index], options,
                                            providers=['CPUExecutionProvider'])
    except Exception as error:  # its own types, which have no common one
        raise ValueError(f'{file.name}: ONNX Runtime rejects it: {shorten(str(error))}; export it '
                         'again') from error
