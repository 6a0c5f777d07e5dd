"""GS1 identification: application identifiers, check digits, element strings, Digital Link URIs."""
