"""Configs of runs that a stand-in for the worker makes: nothing in them is ever built."""

BOUNDS = """
bounds = dict(type='PointToBoundTransform', lower_radius=50, upper_radius=200, softness=2)
train_dataloader['dataset']['pipeline'] = [bounds]
"""


def stand_in_config(root, model="dict(type='Any')", more=''):
    """Return the text of a config that has data, metric and checkpoints.

    Args:
        root: Folder of the data.
        model: An expression.
        more: Lines below.
    """
    return f"""
model = {model}
dataset = dict(data_root='{root}/')
train_dataloader = dict(dataset=dict(ann_file='annotations/train.json', **dataset))
val_dataloader = dict(dataset=dict(ann_file='annotations/val.json', **dataset))
test_dataloader = dict(dataset=dict(ann_file='annotations/test.json', **dataset))
val_evaluator = dict(type='FROCMetric')
test_evaluator = dict(type='FROCMetric')
default_hooks = dict(checkpoint=dict(type='CheckpointHook', max_keep_ckpts=1,
                                     save_best='froc/auroc'))
{more}"""


def window_config(root, divergence='kld'):
    """Return the text of such a config whose head has a Window Loss."""
    head = f"bbox_head=dict(loss=dict(type='WindowLoss', divergence='{divergence}'))"
    return stand_in_config(root, f"dict(type='Any', {head})", BOUNDS + 'randomness = dict(seed=0)\n')
