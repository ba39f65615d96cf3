# FracAtlas: first tools/convert_fracatlas.py SOURCE --out data/fracatlas; the images stay in SOURCE.
# Its fractures are small (quartiles 45 / 59 / 79 of 1024 pixels); still the paper's window and its
# pseudo-boxes, made for a pelvis, were not beaten on validation; numbers in docs/fracatlas.md.
_base_ = './points.py'
resize = dict(type='ResizeToInput', input_size=384)
augmented, train_pipeline, box_pipeline, label_pipeline, test_pipeline, tta_pipeline = [
    [resize if step['type'] == 'ResizeToInput' else step for step in steps] for steps in (
        _base_.augmented, _base_.train_pipeline, _base_.box_pipeline, _base_.label_pipeline,
        _base_.test_pipeline, _base_.tta_pipeline)]
annotations = '{{$MMWINDOW_FRACATLAS_POINTS:data/fracatlas}}/annotations/'
# Twice the usual epochs do not help without a zoom (docs/fracatlas_settings.md, Screening). Every
# second one is validated: a validation takes a quarter of an epoch's time. A config takes it by
# `train_cfg = _base_.length`.
random_scale = (0.8, 1.3)
length = dict(max_epochs=16, val_interval=2)
dataset = dict(
    data_root='', data_prefix=dict(img='{{$MMWINDOW_FRACATLAS:../shared/fracatlas}}/images/'))
train_dataloader = dict(
    batch_size=8, num_workers=1,
    dataset=dict(ann_file=annotations + 'train.json', pipeline=train_pipeline, **dataset),
    # Four of five images are negative: an epoch is all positives and as many random negative ones.
    sampler=dict(_delete_=True, type='BalancedImageSampler'))
val_dataloader = dict(
    batch_size=8, num_workers=1,
    dataset=dict(ann_file=annotations + 'val.json', pipeline=test_pipeline, **dataset))
test_dataloader = dict(
    batch_size=8, num_workers=1,
    dataset=dict(ann_file=annotations + 'test.json', pipeline=test_pipeline, **dataset))
