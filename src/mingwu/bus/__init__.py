"""Subjects, envelopes and streams over NATS JetStream; last values; the nats-server child."""
