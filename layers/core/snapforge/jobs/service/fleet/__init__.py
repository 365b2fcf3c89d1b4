"""Who works: warm workers, started by what waits; tickets; pictures that providers draw."""
