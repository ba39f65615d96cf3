"""The report of a training or a test in its folder, a module for each part of it."""
from mmwindow.apis.run_report.figures import shown_point
from mmwindow.apis.run_report.inputs import ReportImages, ReportInputs, ReportOutcome
from mmwindow.apis.run_report.writing import FORMAT, write_run_report

__all__ = ['FORMAT', 'ReportImages', 'ReportInputs', 'ReportOutcome', 'shown_point',
           'write_run_report']
