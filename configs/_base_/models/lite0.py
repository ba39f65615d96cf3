# The backbone of all small configs: what is changed here is changed for all nine systems.
lite0 = dict(type='EfficientNetLite', frozen_stages=3, norm_eval=True)
# Of its outputs at strides 4, 8, 16 and 32; with last_layer=True the last is 1280.
lite0_channels = [24, 40, 112, 320]
