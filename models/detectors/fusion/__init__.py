"""The default detector: four parts that look at one channel in four ways, fused into one surprise."""
