"""What the tools do: training, testing and the quickstart as plain functions."""
from .launch import load_config, test, train

__all__ = ['load_config', 'test', 'train']
