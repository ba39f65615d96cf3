# The embedded synthetic radiographs, written by tools/make_synthetic.py (or the quickstart).
_base_ = './points.py'
resize = dict(type='ResizeToInput', input_size=256)
augmented, train_pipeline, box_pipeline, label_pipeline, test_pipeline = [
    [resize if step['type'] == 'ResizeToInput' else step for step in steps] for steps in (
        _base_.augmented, _base_.train_pipeline, _base_.box_pipeline, _base_.label_pipeline,
        _base_.test_pipeline)]
data_root = '{{$MMWINDOW_SYNTHETIC:data/synthetic}}/'
train_dataloader = dict(batch_size=8, num_workers=1,
                        dataset=dict(data_root=data_root, pipeline=train_pipeline))
val_dataloader = dict(batch_size=8, num_workers=1,
                      dataset=dict(data_root=data_root, pipeline=test_pipeline))
test_dataloader = val_dataloader
del data_root
