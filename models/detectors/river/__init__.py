"""River's anomaly detectors in the house's frame, where river is installed; a gateway has no room for it."""
