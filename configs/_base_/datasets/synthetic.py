# The embedded synthetic radiographs, written by tools/make_synthetic.py (or the quickstart).
_base_ = './points.py'
dataset = dict(data_root='{{$MMWINDOW_SYNTHETIC:data/synthetic}}/', input_side=256)
train_dataloader = dict(batch_size=8, num_workers=1, dataset=dataset)
val_dataloader = dict(batch_size=8, num_workers=1, dataset=dataset)
test_dataloader = dict(batch_size=8, num_workers=1, dataset=dataset)
