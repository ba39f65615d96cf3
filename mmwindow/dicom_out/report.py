"""Structured reports: TID 1500 with the findings' coordinates (PS3.16), never complete nor verified.

Coordinates (SCOORD) count columns and rows from the outer corner of the first pixel (PS3.3, C.18.6),
as ours do. Each finding is one region: a point, or its box as a closed line; two regions of one
finding would be two findings to a reader.
"""
from typing import Any

import numpy as np

from mmwindow.dicom_out.marks import (
    CLASS_CODES,
    MANUFACTURER,
    OWN_SCHEME,
    PRODUCT,
    FoundImage,
    Mark,
    code_value,
)
from mmwindow.dicom_out.source import import_highdicom

SERIES_NUMBER = 9901
QUALITATIVE = ('C0034375', 'UMLS', 'Qualitative Evaluations')
IMPRESSION = ('121073', 'DCM', 'Impression')


def class_code(name: str) -> Any:
    """Return the code of a class, whose meaning is its name."""
    sr = import_highdicom('.sr')
    if name.lower() in CLASS_CODES:
        return sr.CodedConcept(CLASS_CODES[name.lower()], 'SCT', name)
    return sr.CodedConcept(code_value(name), OWN_SCHEME, name[:64] or 'finding')


def make_report(source: Any, found: FoundImage, marks: str = 'points') -> Any:
    """Return a report (Comprehensive SR) about an image.

    An image without a finding is named in the image library, and no region is.

    Args:
        source: From :func:`~mmwindow.dicom_out.source.read_source`.
        found: What is said of it.
        marks: 'points' or 'boxes'.

    Returns:
        highdicom.sr.ComprehensiveSR: PARTIAL, PRELIMINARY and UNVERIFIED.

    Raises:
        ValueError: highdicom is missing.
    """
    hd, sr = import_highdicom(), import_highdicom('.sr')
    device = hd.UID()
    context = sr.ObservationContext(observer_device_context=sr.ObserverContext(
        observer_type=sr.CodedConcept('121007', 'DCM', 'Device'),
        observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
            uid=device, name=PRODUCT, manufacturer_name=MANUFACTURER, model_name=found.model[:64])))
    groups = [finding_group(source, mark, number, marks, found)
              for number, mark in enumerate(found.marks, start=1)]
    # highdicom asks for one group at least: one that is taken out again where nothing was found.
    placeholder = [] if groups else [sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(uid=hd.UID(), identifier='none'))]
    content = sr.MeasurementReport(
        observation_context=context,
        procedure_reported=sr.CodedConcept('43468-8', 'LN', 'XR unspecified body region'),
        imaging_measurements=groups or placeholder,
        title=sr.CodedConcept('126000', 'DCM', 'Imaging Measurement Report'))
    root = content[0]
    measured = root.ContentSequence[-1]
    root.ContentSequence = sr.ContentSequence([
        *root.ContentSequence[:-1], image_library(source), *([measured] if groups else []),
        summary(found)])
    report = sr.ComprehensiveSR(
        evidence=[source], content=root, series_instance_uid=hd.UID(), series_number=SERIES_NUMBER,
        sop_instance_uid=hd.UID(), instance_number=1, manufacturer=MANUFACTURER,
        manufacturer_model_name=PRODUCT, software_versions=found.version, device_serial_number='0',
        is_complete=False, is_final=False, is_verified=False,
        series_description='mmwindow findings, not for clinical use')
    return report


def image_library(source: Any) -> Any:
    """Return the library with the one image that was read (TID 1600), also where nothing was found.

    highdicom's own asks for elements that radiographs may leave out.
    """
    sr = import_highdicom('.sr')
    library, group = (sr.ContainerContentItem(name=sr.CodedConcept(code, 'DCM', meaning),
                                              relationship_type='CONTAINS')
                      for code, meaning in (('111028', 'Image Library'),
                                            ('126200', 'Image Library Group')))
    group.ContentSequence = sr.ContentSequence([sr.ImageContentItem(
        name=sr.CodedConcept('260753009', 'SCT', 'Source'),
        referenced_sop_class_uid=source.SOPClassUID,
        referenced_sop_instance_uid=source.SOPInstanceUID, relationship_type='CONTAINS')])
    library.ContentSequence = sr.ContentSequence([group])
    return library


def finding_group(source: Any, mark: Mark, number: int, marks: str, found: FoundImage) -> Any:
    """Return the measurement group of a finding (TID 1410): region, class, score."""
    hd, sr = import_highdicom(), import_highdicom('.sr')
    is_point = marks == 'points'
    region = sr.ImageRegion(
        graphic_type='POINT' if is_point else 'POLYLINE',
        graphic_data=np.array([mark.point] if is_point else mark.corners(), dtype=float),
        source_image=sr.SourceImageForRegion(source.SOPClassUID, source.SOPInstanceUID))
    score = sr.Measurement(
        name=sr.CodedConcept('SCORE', OWN_SCHEME, 'Score of the model'), value=round(mark.score, 6),
        unit=sr.CodedConcept('1', 'UCUM', 'no units'))
    return sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(uid=hd.UID(), identifier=f'finding {number}'),
        referenced_region=region, finding_type=class_code(mark.class_name), measurements=[score],
        algorithm_id=sr.AlgorithmIdentification(
            name=found.model[:64], version=found.version,
            parameters=[f'threshold of {name}: {value:.6g}' for name, value in found.thresholds]))


def summary(found: FoundImage) -> Any:
    """Return the container with the findings in words (TID 1500, qualitative evaluations)."""
    sr = import_highdicom('.sr')
    container = sr.ContainerContentItem(
        name=sr.CodedConcept(*QUALITATIVE), relationship_type='CONTAINS')
    container.ContentSequence = sr.ContentSequence([sr.TextContentItem(
        name=sr.CodedConcept(*IMPRESSION), value=found.describe(), relationship_type='CONTAINS')])
    return container
