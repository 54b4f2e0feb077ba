"""The integer model in QONNX, and a run of that graph by QONNX's own executor.

Whoever distrusts this package runs the graph with ``onnx`` and ``qonnx`` alone.
"""
