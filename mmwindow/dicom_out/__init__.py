"""DICOM objects that say what was found in a DICOM image: reports, presentation states, captures.

They are written by highdicom (``requirements/reports.txt``), for research, and say so themselves.
"""
from mmwindow.dicom_out.capture import make_capture
from mmwindow.dicom_out.marks import FoundImage, Mark
from mmwindow.dicom_out.presentation import make_presentation
from mmwindow.dicom_out.report import make_report
from mmwindow.dicom_out.source import read_source

__all__ = ['FoundImage', 'Mark', 'make_capture', 'make_presentation', 'make_report', 'read_source']
