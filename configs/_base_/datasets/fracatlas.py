# FracAtlas: first tools/convert_fracatlas.py SOURCE --out data/fracatlas; the images stay in SOURCE.
_base_ = './points.py'
annotations = '{{$MMWINDOW_FRACATLAS_POINTS:data/fracatlas}}/annotations/'
# Its fractures are small (quartiles 45 / 59 / 79 of 1024 pixels); still the paper's window and its
# pseudo-boxes, made for a pelvis, were not beaten on validation; numbers in docs/fracatlas.md.
dataset = dict(
    data_root='', data_prefix=dict(img='{{$MMWINDOW_FRACATLAS:../shared/fracatlas}}/images/'),
    input_side=384)
train_dataloader = dict(
    batch_size=8, num_workers=1, dataset=dict(ann_file=annotations + 'train.json', **dataset),
    # Four of five images are normals: an epoch is all positives and as many random normals.
    sampler=dict(_delete_=True, type='BalancedImageSampler'))
val_dataloader = dict(
    batch_size=8, num_workers=1, dataset=dict(ann_file=annotations + 'val.json', **dataset))
test_dataloader = dict(
    batch_size=8, num_workers=1, dataset=dict(ann_file=annotations + 'test.json', **dataset))
