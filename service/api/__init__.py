"""The HTTP face: schemas and endpoints."""
