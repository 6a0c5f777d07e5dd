"""The data access service, modelled on RDAP: answers, searches, its client."""
