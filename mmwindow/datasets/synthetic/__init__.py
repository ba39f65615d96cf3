"""Synthetic radiographs of the pelvis with fractures: numpy and OpenCV only."""
from .radiograph import SyntheticRadiograph, generate_radiograph
from .sheet import contact_sheet
from .writing import write_dataset

__all__ = ['SyntheticRadiograph', 'generate_radiograph', 'contact_sheet', 'write_dataset']
