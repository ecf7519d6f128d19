"""The tests, room by room; ``tests.benchmarks`` measures and ``tests.load`` loads."""
