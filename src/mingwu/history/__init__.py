"""Time series: the historian process, its schema, the writer and the query client."""
