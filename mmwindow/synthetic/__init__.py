"""Synthetic radiographs of the pelvis with fractures: numpy and OpenCV only."""
from mmwindow.synthetic.annotators import Annotators
from mmwindow.synthetic.clicks import write_clicks
from mmwindow.synthetic.radiograph import SyntheticRadiograph, generate_radiograph
from mmwindow.synthetic.variation import Variation
from mmwindow.synthetic.writing import contact_sheet, write_dataset

__all__ = ['Annotators', 'SyntheticRadiograph', 'Variation', 'generate_radiograph', 'contact_sheet',
           'write_clicks', 'write_dataset']
