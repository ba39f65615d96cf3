# Your data: a folder with images/ and annotations/{train,val,test}.json (COCO points, one
# annotation a point). Set its place here or in the environment variable MMWINDOW_DATA.
data_root = '{{$MMWINDOW_DATA:data/pelvis}}/'
classes = ('fracture', )

# All lengths are in pixels of a frame of side 1024; a network that runs at input_side S
# multiplies them by S / 1024. Each stands once: the data set hands them to its transforms.
input_side = 1024
window = dict(lower_radius=50, upper_radius=200, softness=2)

augmented = [
    dict(type='LoadRadiograph'),
    dict(type='LoadAnnotations', with_bbox=True, box_type='point'),
    dict(type='ResizeToInput'),
    dict(type='RandomIntensity'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='Rotate', prob=1.0, min_mag=0., max_mag=15., img_border_value=0),
    dict(type='PadToInput')]
# What the systems learn from: bounds (Window Loss), boxes (the box detectors, whose leaves take
# box_pipeline) or image labels (the classifiers take label_pipeline). All else is shared.
train_pipeline = [*augmented, dict(type='PointToBoundTransform'), dict(type='PackPointInputs')]
box_pipeline = [
    *augmented, dict(type='PointsToPseudoBoxes', size=200), dict(type='PackPointInputs')]
label_pipeline = [*augmented, dict(type='PackPointInputs')]
test_pipeline = [
    dict(type='LoadRadiograph'),
    dict(type='ResizeToInput'),
    dict(type='PadToInput'),
    dict(type='PackPointInputs')]

dataset = dict(
    type='CocoPointDataset', data_root=data_root, metainfo=dict(classes=classes),
    data_prefix=dict(img='images/'), input_side=input_side, window=window)
train_dataloader = dict(
    batch_size=12, num_workers=4, persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(ann_file='annotations/train.json', pipeline=train_pipeline, **dataset))
val_dataloader = dict(
    batch_size=4, num_workers=4, persistent_workers=True, drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(ann_file='annotations/val.json', pipeline=test_pipeline, test_mode=True,
                 **dataset))
test_dataloader = dict(
    batch_size=4, num_workers=4, persistent_workers=True, drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(ann_file='annotations/test.json', pipeline=test_pipeline, test_mode=True,
                 **dataset))
val_evaluator = dict(type='FROCMetric', hit_radius=50)  # frame pixels
test_evaluator = val_evaluator
