custom_imports = dict(imports=['mmwindow'], allow_failed_imports=False)
default_scope = 'mmdet'

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=20),
    param_scheduler=dict(type='ParamSchedulerHook'),
    # The paper keeps the epoch with the best validation AUROC. The rule is named because
    # mmengine cannot guess it for a key that ends in auroc.
    # Two are kept: mmengine deletes the older before the newer is complete.
    checkpoint=dict(type='AtomicCheckpointHook', interval=1, max_keep_ckpts=2,
                    save_best='froc/auroc', rule='greater'),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    # Batch normalisation keeps statistics of its own on each rank; without this each rank
    # would validate another model, and the checkpoint would hold the first one's alone.
    sync_buffers=dict(type='SyncBuffersHook'),
    # A resumed training ends as the uncut one, bit for bit (docs/resuming.md).
    exact_resume=dict(type='ExactResumeHook'),
    validate_on_resume=dict(type='ValidateOnResumeHook'),
    # The first loss that is NaN or infinite stops the training and names the images.
    non_finite=dict(type='NonFiniteHook'),
    # Validation images that cannot choose a best checkpoint are rejected before the first step.
    data_check=dict(type='DataCheckHook'),
    # Training, validation, test and model agree on input size and classes, or the run does not begin.
    settings=dict(type='SettingsHook'),
    # What MMDetection's tools/analysis_tools/analyze_logs.py plots: --keys auroc froc_score
    validation_log=dict(type='ValidationLogHook'),
    visualization=dict(type='PointVisualizationHook', score_thr=0.5))
env_cfg = dict(
    cudnn_benchmark=True,  # every input has the same size
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'))
randomness = dict(seed=0)
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='PointVisualizer', vis_backends=vis_backends)
log_processor = dict(type='LogProcessor', window_size=20, by_epoch=True)
log_level = 'INFO'
load_from = None
resume = False
