# The classifiers' schedule: as adamw_cosine.py, at an eighth of its rate. At 8e-4 their one gradient
# an image, through pooling, undoes the pretrained features (CheXNet on FracAtlas keeps a loss of
# log 2); at 1e-4 WSPL has a validation AUROC of .87 after three epochs. Seen on validation alone.
_base_ = './adamw_cosine.py'
optim_wrapper = dict(optimizer=dict(lr=1e-4))
