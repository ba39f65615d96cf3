"""Files, environment, progress: what every other folder may use; no OpenMMLab in here."""
