"""Names: code rules, the record store and the resolver (Handle protocol, HTTP)."""
