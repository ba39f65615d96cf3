"""From a folder of data to a training: find, divide, choose, write the config, tell the time.

``mmwindow train --data`` takes these steps; all of them are
:func:`mmwindow.apis.own_data.plan.plan_training`.
"""
