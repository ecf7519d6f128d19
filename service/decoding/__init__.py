"""Iteration-level decoding: the decoder steps of many sentences run together."""
