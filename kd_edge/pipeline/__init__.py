"""The pipeline: what `build` and `bench` do, stage by stage."""
