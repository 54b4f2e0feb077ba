"""Time-series Transformers: data, training, quantization, and the integer model they become."""
