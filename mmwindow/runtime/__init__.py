"""Prediction with onnxruntime, numpy and OpenCV alone: no torch, no MMDetection.

    from mmwindow.runtime import load_model
    model = load_model('model.onnx')
    for prediction in model.predict('images'):
        print(prediction.name, prediction.image_score, prediction.boxes)

``mmwindow export`` writes the files (docs/export.md).
"""
from mmwindow.runtime.model import RuntimeModel, load_model
from mmwindow.runtime.model_info import ModelInfo
from mmwindow.structures.image_prediction import ImagePrediction

__all__ = ['ImagePrediction', 'ModelInfo', 'RuntimeModel', 'load_model']
