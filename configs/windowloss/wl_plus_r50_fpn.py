_base_ = ['../_base_/models/dense_point_r50_fpn.py', '../_base_/models/wl_plus.py',
          '../_base_/datasets/points.py', '../_base_/schedules/paper_100e.py',
          '../_base_/default_runtime.py']
model = _base_.wl_plus
