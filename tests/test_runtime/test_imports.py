"""The runtime predicts where neither torch nor MMDetection can be imported."""
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
from tests_small_graphs import write_model

ROOT = Path(__file__).parents[2]
BLOCKED = ('torch', 'mmengine', 'mmcv', 'mmdet', 'scipy', 'matplotlib', 'numba', 'pydicom', 'PIL',
           'simplejpeg', 'onnx')
CODE = f'''
import sys
for name in {BLOCKED!r}:
    sys.modules[name] = None
from mmwindow.runtime import load_model
prediction, = load_model(sys.argv[1]).predict(sys.argv[2])
print(prediction.image_score, prediction.boxes.tolist())
print(sorted(name for name in {BLOCKED!r} if sys.modules.get(name) is not None))
'''


def test_a_png_is_predicted_by_onnxruntime_numpy_and_opencv_alone(tmp_path):
    pixels = np.zeros((64, 64), dtype=np.uint8)
    pixels[8:16, 8:24] = 255
    cv2.imwrite(str(tmp_path / 'image.png'), pixels)
    model = write_model(tmp_path / 'model.onnx')
    result = subprocess.run([sys.executable, '-c', CODE, str(model), str(tmp_path / 'image.png')],
                            capture_output=True, text=True, cwd=ROOT, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == ['1.0 [[8.0, 8.0, 24.0, 16.0]]', '[]']
