"""Electronic Product Codes (GS1 EPC Tag Data Standard): binary forms, URIs, tag memory."""
