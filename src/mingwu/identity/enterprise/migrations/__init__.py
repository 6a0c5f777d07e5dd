"""Schema steps of component ``identity.enterprise``, numbered from 1 without gaps."""
