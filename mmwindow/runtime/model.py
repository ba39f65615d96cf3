"""A model that was exported, ready to predict."""
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mmwindow.runtime.decoders import Decoded, Place, ProposalDecoder, RegionDecoder, make_decoder
from mmwindow.runtime.model_info import ModelInfo
from mmwindow.runtime.sessions import ModelFile, open_session, read_model_file
from mmwindow.structures.image_prediction import ImagePrediction, best_box_scores
from mmwindow.utils.messages import name_some, shorten
from mmwindow.zoo import find_zoo_model, is_zoo_name

if TYPE_CHECKING:  # decoders of images are imported by the first prediction
    from mmwindow.images.sources import ImageSource
    from mmwindow.runtime.frames import Frame

ONE_STAGE = ('map', 'anchors', 'points')


class RuntimeModel:
    """Predict images with an exported model: onnxruntime, numpy and OpenCV, no torch.

    Results are those of :class:`~mmwindow.apis.inference.PointInferencer`: the same frames, map,
    findings and scores, to what rounding differs.

    Args:
        path: A file of ``mmwindow export``.
        num_threads: That compute; None: as many as ``OMP_NUM_THREADS`` says, else one a core.

    Attributes:
        info: What the file says of itself.

    Raises:
        ValueError: The file is missing, damaged, or was not exported by mmwindow.
    """

    def __init__(self, path: str | Path, num_threads: int | None = None) -> None:
        file = read_model_file(path)
        self.name = file.name
        self.info: ModelInfo = file.info
        has_stages = len(file.graphs) == 2
        content = dict(self.info.decoder)
        regions = content.pop('regions', None)
        self.decoder = make_decoder(content, ('proposals', ) if has_stages else ONE_STAGE, file.name)
        self.regions: RegionDecoder | None = (
            make_decoder(regions, ('regions', ), file.name) if has_stages else None)
        self._check_outputs(file)
        self.sessions = [open_session(file, index, num_threads) for index in range(len(file.graphs))]
        self._check_inputs()

    def _check_outputs(self, file: ModelFile) -> None:
        needed = [set(self.decoder.output_names())]
        if self.regions is not None:
            levels = range(len(self.regions.strides))
            needed[0] |= {f'feature_{level}' for level in levels}
            needed.append({'class', 'box'})
        for names, content in zip(needed, file.contents, strict=True):
            if missing := names - set(content.outputs):
                raise ValueError(f'{file.name}: its graph has no output {name_some(missing)}; export '
                                 'the model again')

    def _check_inputs(self) -> None:
        graph_input = self.sessions[0].get_inputs()
        shape = graph_input[0].shape[1:] if graph_input else None
        if len(graph_input) != 1 or graph_input[0].type != 'tensor(uint8)' or (
                shape != [1, *self.info.input_size]):
            raise ValueError(f'{self.name}: its graph takes {shorten(shape)}; grey images of '
                             f'{self.info.input_size} pixels, as its description says, are expected')

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the labels."""
        return self.info.classes

    def predict(self, inputs: 'ImageSource | Sequence[ImageSource]', batch_size: int = 1,
                with_maps: bool = True, threshold: float | None = None) -> list[ImagePrediction]:
        """Predict images.

        Args:
            inputs: An image file, a folder of them, an array as
                :func:`~mmwindow.images.decode.read_image` takes it, or a list of these.
            batch_size: Images that the network gets at once.
            with_maps: Keep the maps.
            threshold: Findings score at least this; None: as the model's config says.

        Raises:
            ValueError: An input is missing, no image, in colour or of an unknown bit depth; the
                folder is empty; the threshold is not between 0 and 1; or the network gives NaN.
        """
        return list(self.iterate(inputs, batch_size, with_maps, threshold))

    def iterate(self, inputs: 'ImageSource | Sequence[ImageSource]', batch_size: int = 1,
                with_maps: bool = True, threshold: float | None = None) -> Iterator[ImagePrediction]:
        """Yield predictions one by one, as :meth:`predict` returns them."""
        if threshold is not None and not 0 <= threshold <= 1:
            raise ValueError(f'the threshold is {threshold}; a score from 0 to 1 is expected')
        if batch_size < 1:
            raise ValueError(f'batch_size is {batch_size}; at least 1 image is expected')
        from mmwindow.images.sources import list_images
        from mmwindow.runtime.frames import make_frame
        images = iter(list_images(inputs))
        while batch := list(islice(images, batch_size)):
            frames = [make_frame(source, self.info, name) for name, source in batch]
            names = [name for name, _ in batch]
            for name, frame, decoded in zip(names, frames, self._run(frames, names, threshold),
                                            strict=True):
                yield self._prediction(name, frame, decoded, with_maps)

    def _run(self, frames: 'Sequence[Frame]', names: Sequence[str], threshold: float | None
             ) -> list[Decoded]:
        pixels = np.stack([frame.pixels for frame in frames])[:, None]
        outputs = self.run_graph(0, dict(images=pixels))
        check_finite(outputs, names)
        if isinstance(self.decoder, ProposalDecoder):
            decoded = self._run_regions(outputs, [frame.place for frame in frames], names)
        else:
            decoder = self.decoder
            if threshold is not None and decoder.kind == 'map':
                decoder = replace(decoder, score_threshold=threshold)
            decoded = [decoder.decode(outputs, index, frame.place)
                       for index, frame in enumerate(frames)]
        if self.decoder.kind == 'map':
            return decoded
        # Boxes in the padding of the frame are none of the image.
        decoded = [each._replace(image_scores=best_box_scores(
            each.scores, each.labels, len(self.classes), each.boxes, frame.place.image_size))
            for each, frame in zip(decoded, frames, strict=True)]
        if threshold is None:
            return decoded
        return [at_least(each, threshold) for each in decoded]

    def run_graph(self, index: int, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the outputs of a graph by name.

        Raises:
            ValueError: ONNX Runtime stops.
        """
        session = self.sessions[index]
        names = [output.name for output in session.get_outputs()]
        try:
            return dict(zip(names, session.run(names, dict(inputs)), strict=True))
        except Exception as error:  # its own types, which have no common one
            advice = '; lower batch_size' if 'vailable memory' in str(error) else ''
            raise ValueError(f'{self.name}: ONNX Runtime stops: {shorten(str(error))}{advice}'
                             ) from error

    def _run_regions(self, outputs: Mapping[str, np.ndarray], places: Sequence[Place],
                     names: Sequence[str]) -> list[Decoded]:
        """Return what the second stage says about the regions that the first one proposes."""
        decoder = self.regions
        assert decoder is not None
        proposals = [self.decoder.proposals(outputs, index, place.frame)
                     for index, place in enumerate(places)]
        owners = np.repeat(np.arange(len(places)), [len(each) for each in proposals])
        regions = np.concatenate(proposals)
        levels = decoder.levels(regions)
        inputs: dict[str, np.ndarray] = {}
        order = np.argsort(levels, kind='stable')
        for level in range(len(decoder.strides)):
            chosen = levels == level
            inputs |= {f'feature_{level}': outputs[f'feature_{level}'], f'regions_{level}':
                       regions[chosen], f'owners_{level}': owners[chosen].astype(np.int64)}
        logits = np.zeros((len(regions), decoder.num_classes + 1), dtype=np.float32)
        deltas = np.zeros((len(regions), 4 * (1 if decoder.class_agnostic else decoder.num_classes)),
                          dtype=np.float32)
        if len(regions):
            second = self.run_graph(1, inputs)
            logits[order], deltas[order] = second['class'], second['box']
            check_finite({key: second[key] for key in ('class', 'box')}, names, by_image=False)
        return [decoder.decode_regions(regions[owners == index], logits[owners == index],
                                       deltas[owners == index], place)
                for index, place in enumerate(places)]

    def _prediction(self, name: str, frame: 'Frame', decoded: Decoded, with_maps: bool
                    ) -> ImagePrediction:
        return ImagePrediction(
            name=name, classes=self.classes, image_size=frame.place.image_size,
            image_scores=decoded.image_scores, boxes=decoded.boxes, scores=decoded.scores,
            labels=decoded.labels, heatmap=decoded.heatmap if with_maps else None,
            orientation=frame.orientation, peaks=decoded.peaks)


def check_finite(outputs: Mapping[str, np.ndarray], names: Sequence[str], by_image: bool = True
                 ) -> None:
    """Reject outputs of NaN or infinity.

    Raises:
        ValueError: There are; the message names the images.
    """
    for key, values in outputs.items():
        if not np.isfinite(values).all():
            bad = [name for name, row in zip(names, values, strict=True)
                   if not np.isfinite(row).all()] if by_image else names
            raise ValueError(f'the network gives NaN or infinity ({key}) for {name_some(bad, 16)}; '
                             'the weights are broken: no number is given')


def at_least(decoded: Decoded, threshold: float) -> Decoded:
    """Return the findings of a score of at least ``threshold``."""
    kept = decoded.scores >= threshold
    return decoded._replace(**{key: getattr(decoded, key)[kept]
                               for key in ('boxes', 'scores', 'labels', 'peaks')})


def load_model(path: str | Path, num_threads: int | None = None) -> RuntimeModel:
    """Return an exported model, ready to predict; see :class:`RuntimeModel`.

    Args:
        path: A file of ``mmwindow export``, or a name of the zoo, such as 'fracatlas'.
        num_threads: As in :class:`RuntimeModel`.

    Raises:
        ValueError: The file is missing, damaged, or was not exported by mmwindow.
    """
    if is_zoo_name(path):
        path = find_zoo_model(str(path)).exported.check()
    return RuntimeModel(path, num_threads)
