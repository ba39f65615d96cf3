# Test-time augmentation, `tools/test.py CONFIG CHECKPOINT --tta`: each image as it is and mirrored,
# each of these upright and turned a little either way. Views are made from the complete frame.
tta_model = dict(type='PointTTAModel')
turn = dict(type='Rotate', prob=1.0, reversal_prob=0.0, img_border_value=0)
tta_pipeline = [
    dict(type='LoadRadiograph'),
    dict(type='ResizeToInput'),
    dict(type='PadToInput'),
    dict(type='TestTimeAug', transforms=[
        [dict(type='RandomFlip', prob=0.0), dict(type='RandomFlip', prob=1.0)],
        [dict(min_mag=0.0, max_mag=0.0, **turn), dict(min_mag=5.0, max_mag=5.0, **turn),
         dict(min_mag=5.0, max_mag=5.0, **{**turn, 'reversal_prob': 1.0})],
        [dict(type='PackPointInputs')]])]
