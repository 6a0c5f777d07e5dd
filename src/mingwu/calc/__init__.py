"""Pure algorithms on numpy columns: decoding plans, deadbands, down-sampling. No I/O."""
