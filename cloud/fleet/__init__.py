"""Sites, places, gateways, channels, enrolment, desired configuration."""
