"""Score on a cluster: datasets of Ray Data (``ray.py``) and DataFrames of Spark (``spark.py``)."""
