# FracAtlas at input 512, for ResNet-50 on a GPU; all else as in fracatlas.py.
_base_ = './fracatlas.py'
resize = dict(type='ResizeToInput', input_size=512)
augmented, train_pipeline, box_pipeline, label_pipeline, test_pipeline, tta_pipeline = [
    [resize if step['type'] == 'ResizeToInput' else step for step in steps] for steps in (
        _base_.augmented, _base_.train_pipeline, _base_.box_pipeline, _base_.label_pipeline,
        _base_.test_pipeline, _base_.tta_pipeline)]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
