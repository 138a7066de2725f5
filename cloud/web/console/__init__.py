"""Pages for people: queue, incident, work and fleet, in Chinese and English, over the JSON API."""
