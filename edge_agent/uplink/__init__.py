"""The way to the cloud: one MQTT session, its window, its back-off."""
