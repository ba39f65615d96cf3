custom_imports = dict(imports=['mmwindow'], allow_failed_imports=False)
default_scope = 'mmdet'

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=20),
    param_scheduler=dict(type='ParamSchedulerHook'),
    # The paper keeps the epoch with the best validation AUROC. The rule is named because
    # mmengine cannot guess it for a key that ends in auroc.
    # Two are kept: mmengine deletes the older before the newer is whole.
    checkpoint=dict(type='CheckpointHook', interval=1, max_keep_ckpts=2,
                    save_best='froc/auroc', rule='greater'),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    # Batch normalisation keeps statistics of its own on each rank; without this each rank
    # would validate another model, and the checkpoint would hold the first one's alone.
    sync_buffers=dict(type='SyncBuffersHook'),
    # What MMDetection's tools/analysis_tools/analyze_logs.py plots: --keys auroc froc_score
    validation_log=dict(type='ValidationLogHook'),
    visualization=dict(type='PointVisualizationHook', score_thr=0.5))
env_cfg = dict(
    cudnn_benchmark=True,  # every input has the same size
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'))
randomness = dict(seed=0)
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='PointVisualizer', vis_backends=vis_backends, name='visualizer')
log_processor = dict(type='LogProcessor', window_size=20, by_epoch=True)
log_level = 'INFO'
load_from = None
resume = False

# Test-time augmentation, `tools/test.py CONFIG CHECKPOINT --tta`: each image as it is and mirrored,
# each of these upright and turned a little either way. Views are made from the complete frame.
tta_model = dict(type='PointTTAModel')
tta_pipeline = [
    dict(type='LoadRadiograph'),
    dict(type='ResizeToInput'),
    dict(type='PadToInput'),
    dict(type='TestTimeAug', transforms=[
        [dict(type='RandomFlip', prob=0.0), dict(type='RandomFlip', prob=1.0)],
        [dict(type='Rotate', min_mag=0.0, max_mag=0.0, img_border_value=0),
         # A reversal_prob of 1 never reverses an angle, one of 0 always does.
         dict(type='Rotate', min_mag=5.0, max_mag=5.0, reversal_prob=1.0, img_border_value=0),
         dict(type='Rotate', min_mag=5.0, max_mag=5.0, reversal_prob=0.0, img_border_value=0)],
        [dict(type='PackPointInputs')]])]
