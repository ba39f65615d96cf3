# Your data: a folder with images/ and annotations/{train,val,test}.json (COCO points, one annotation
# a point). Set its place here or in the environment variable MMWINDOW_DATA. Classes are the
# categories of these files, in the order of their ids; docs/configs.md says how to change what.
load = dict(type='LoadImageFromFile', backend_args=dict(backend='radiograph', bit_depth=None))
# The size of the network's input: a side, or (height, width), multiples of 32. It stands here alone;
# all lengths below are in pixels of a frame of side 1024 and are scaled to it.
resize = dict(type='ResizeToInput', input_size=1024)
augmented = [
    load,
    dict(type='LoadAnnotations', with_bbox=True, box_type='point'),
    resize,
    dict(type='RandomIntensity'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='Rotate', prob=1.0, min_mag=0., max_mag=15., img_border_value=0),
    dict(type='PadToInput')]
bounds = dict(type='PointToBoundTransform', lower_radius=50, upper_radius=200, softness=2)
pack = dict(type='PackPointInputs')
# What the systems learn from: bounds (Window Loss), boxes (the box detectors, whose config files take
# box_pipeline) or image labels (the classifiers take label_pipeline). All else is shared.
train_pipeline = [*augmented, bounds, pack]
box_pipeline = [*augmented, dict(type='PointsToPseudoBoxes', size=200), pack]
label_pipeline = [*augmented, pack]
test_pipeline = [load, resize, dict(type='PadToInput'), pack]

dataset = dict(
    type='CocoPointDataset', data_root='{{$MMWINDOW_DATA:data/pelvis}}/',
    data_prefix=dict(img='images/'))
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
