# Your data, as in points.py, at a size that a CPU trains.
_base_ = './points.py'
resize = dict(type='ResizeToInput', input_size=384)
augmented, train_pipeline, box_pipeline, label_pipeline, test_pipeline = [
    [resize if step['type'] == 'ResizeToInput' else step for step in steps] for steps in (
        _base_.augmented, _base_.train_pipeline, _base_.box_pipeline, _base_.label_pipeline,
        _base_.test_pipeline)]
train_dataloader = dict(batch_size=8, num_workers=1, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(batch_size=8, num_workers=1, dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
