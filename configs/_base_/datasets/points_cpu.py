# Your data, as in points.py, at a size that a CPU trains in an hour or so.
_base_ = './points.py'
dataset = dict(input_side=384)
train_dataloader = dict(batch_size=8, num_workers=1, dataset=dataset)
val_dataloader = dict(batch_size=8, num_workers=1, dataset=dataset)
test_dataloader = dict(batch_size=8, num_workers=1, dataset=dataset)
