# ResNet-50 with all stages learning: as adamw_cosine.py, at a quarter of its rate, for every system.
# The rate was not tuned.
_base_ = './adamw_cosine.py'
optim_wrapper = dict(optimizer=dict(lr=2e-4))
