"""Programs that measure the service and try it: benchmarks, load, chaos, attacks, fuzzing, the playground in a browser.

``make bench`` measures the service over HTTP beside its own network run bare.
"""
