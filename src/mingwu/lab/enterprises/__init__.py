"""S3: 60 simulated enterprises of one second-level node, their own nodes, and who asks."""
