"""Synthetic radiographs of the pelvis with fractures: numpy and OpenCV only."""
from mmwindow.synthetic.clicks import write_clicks
from mmwindow.synthetic.radiograph import SyntheticRadiograph, generate_radiograph
from mmwindow.synthetic.writing import contact_sheet, write_dataset

__all__ = ['SyntheticRadiograph', 'generate_radiograph', 'contact_sheet', 'write_clicks',
           'write_dataset']
