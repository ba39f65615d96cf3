"""What the tools do: training, testing and the quickstart as plain functions."""
from .launch import load_config, test, train
from .quickstart import quickstart

__all__ = ['load_config', 'quickstart', 'test', 'train']
