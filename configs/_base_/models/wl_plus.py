# What WL+ adds to a model of the Window Loss (docs/method.md, section 11): the one place that says
# it. A config takes it by `model = _base_.wl_plus`; one that inherits such a config leaves a part
# out, or adds another, by one line, as windowloss/ablations/wl_plus_* do.
wl_plus = dict(
    neck=dict(start_level=1, num_outs=3),  # a map of stride 8, as its tower costs 4 times less there
    bbox_head=dict(
        strides=(8, 16, 32), num_convs=2,
        image_window=dict(type='WindowLoss', loss_weight=0.1)))
