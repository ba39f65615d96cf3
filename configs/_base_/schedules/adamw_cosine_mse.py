# The schedule of WL-MSE: as adamw_cosine.py, at a quarter of its rate and with a memory of 100 steps.
# The squared error has no gradient where a sigmoid saturates: at 8e-4 all scores fall to 0 within an
# epoch and stay there (FracAtlas: validation AUROC .45 after four epochs, gradients 0). At 2e-4 one
# large step does it, and with AdamW's default betas[1] = 0.999 the small gradients that follow are
# measured by the large ones before for the rest of so short a training; 0.99 lets them recover.
_base_ = './adamw_cosine.py'
optim_wrapper = dict(optimizer=dict(lr=2e-4, betas=(0.9, 0.99)))
