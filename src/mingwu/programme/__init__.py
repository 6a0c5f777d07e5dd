"""The notice's workflow and the conformity engine. Empty until its issue opens it."""
